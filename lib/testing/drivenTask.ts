import { from, type Observable, Subject, Subscription, VirtualTimeScheduler } from 'rxjs'
import { CaptureBudget } from '../channel/captureBudget.ts'
import { Channel } from '../channel/channel.ts'
import { ChannelGate } from '../channel/gate.ts'
import { type AlignedElement, align } from '../control/align.ts'
import { type Barrier, type CheckpointId, cancel, type SplitId, type StreamElement, timeoutMsOf } from '../element.ts'
import { InPlaceTask } from '../graph/inPlace.ts'
import { Reading } from '../graph/reading.ts'
import type { Source } from '../graph/source.ts'
import type { OperatorNode, Stream } from '../graph/stream.ts'
import type { Subtask } from '../graph/task.ts'
import { invariant } from '../invariant.ts'
import { SnapshotUnderWay } from '../runtime/snapshotUnderWay.ts'
import { releaseSnapshot } from '../snapshot/format.ts'
import { gateState } from '../snapshot/frame.ts'
import type { RestoredTask, TaskSnapshot } from '../snapshot/snapshot.ts'
import { capturedWatermarks } from '../time/capturedWatermarks.ts'

export interface DrivenTaskOptions {
  /** What comes from outside, a channel each; none if the task reads a source. */
  readonly inputs: readonly Stream<any>[]
  readonly subtask: Subtask
  readonly keyGroups: number
  readonly restored: RestoredTask | undefined
  /** How many results the output has room for. */
  readonly room: number
}

interface Lane {
  readonly channel: Channel<unknown>
  readonly head: Subject<StreamElement<any>>
  ended: boolean
}

/**
 * A task that is driven by hand: channels -> gate -> align -> operators, as in the runtime, but that it takes all it may as
 * soon as it may, instead of taking turns. Its output is full when it has no room for a result.
 *
 * Guarantees: what an operator throws is thrown by the call that has led to it, and by every later call.
 */
export class DrivenTask {
  readonly task: InPlaceTask
  readonly scheduler = new VirtualTimeScheduler()
  readonly #subtask: Subtask
  readonly #restored: RestoredTask | undefined
  readonly #lanes: readonly Lane[]
  readonly #gate: ChannelGate<unknown> | undefined
  readonly #running = new Subscription()
  #head: Subject<StreamElement<any>>
  #reading: Reading<unknown> | undefined
  #room: number
  #triggered: Barrier | undefined
  #limit = Subscription.EMPTY
  readonly #captures = new CaptureBudget(Number.POSITIVE_INFINITY)
  #underWay: SnapshotUnderWay | undefined
  #taken: TaskSnapshot | undefined
  #newest: CheckpointId | undefined
  #inputEnded = false
  #advancing = false
  #ended = false
  #failed: { readonly error: unknown } | undefined

  constructor({ inputs, subtask, keyGroups, restored, room }: DrivenTaskOptions) {
    this.#subtask = subtask
    this.#restored = restored
    this.#room = room
    this.#lanes = inputs.map(() => ({
      channel: new Channel(),
      head: new Subject(),
      ended: false,
    }))
    this.#head = this.#lanes[0]?.head ?? new Subject()
    this.task = new InPlaceTask({
      subtask,
      keyGroups,
      scheduler: this.scheduler,
      onReady: () => this.#goOnInAdvance(),
      output: { mayGoOn: () => --this.#room > 0, free$: new Subject() },
      input: stream => this.#lanes[inputs.indexOf(stream)]?.head,
      read: (source, node) => this.#read(source, node),
      ...(restored === undefined ? {} : { restored: restored.operators }),
    })
    if (inputs.length > 0) this.#gate = this.#builtGate()
    for (const { input, elements } of restored?.inFlight ?? []) this.#lanes[input]?.channel.restore(elements)
  }

  /** Before anything is sent: the stream's elements from now on. */
  connect<T>(stream: Stream<T, any>, take: (element: StreamElement<T>) => void): void {
    this.#running.add(
      stream.in(this.task).subscribe({
        next: element => {
          if (element.kind === 'end') this.#ended = true
          take(element)
        },
        error: error => this.#fail(error),
      }),
    )
    this.#assertWorking()
  }

  /** Goes on with what has been restored. */
  start(): void {
    const { states } = this.task
    const open = new Set(states.map(({ operator }) => operator))
    const unclaimed = [
      ...[...(this.#restored?.operators.keys() ?? [])].filter(operator => !open.has(operator)),
      ...states.flatMap(state => state.unclaimed().map(name => `${state.operator}, state ${name}`)),
    ]
    if (unclaimed.length > 0) throw new Error(`no operator asks for what the snapshot has of ${unclaimed.join('; ')}`)
    this.goOn()
  }

  send(lane: number, element: StreamElement<unknown>): void {
    const to = this.#lanes[lane]
    if (to === undefined) throw new Error(`there is no lane ${lane}: the harness has ${this.#lanes.length}`)
    if (element.kind === 'splits' || element.kind === 'side')
      throw new Error(`${element.kind} elements do not come through a channel: give the harness the source itself`)
    if (to.ended) throw new Error(`lane ${lane} has ended: no ${element.kind} follows`)
    if (element.kind === 'end') to.ended = true
    if (element.kind === 'barrier') this.#expect(element)
    to.channel.push(element)
    this.goOn()
  }

  /** As a checkpoint's trigger reaches the tasks: the barrier comes through all channels that have not ended. */
  trigger(barrier: Barrier): void {
    if (this.#ended) throw new Error('the task has ended, and takes no more snapshots')
    this.#expect(barrier)
    if (this.#gate === undefined || this.#inputEnded) {
      this.#triggered = barrier
      this.#startLimit(barrier)
    }
    for (const { channel, ended } of this.#lanes) {
      if (ended) channel.pushBeforeEnd(barrier)
      else channel.push(barrier)
    }
    this.goOn()
  }

  /** Takes the next elements of the source, if the output has room; false if there is nothing more for now. */
  read(recordsMax: number): boolean {
    if (this.#reading === undefined) throw new Error('the harness reads no source: push what it is to take')
    this.goOn()
    if (this.#room <= 0 || this.suspended || this.task.full) return false
    const elements = this.#reading.take(recordsMax)
    for (const element of elements ?? []) this.#handOver(element)
    this.goOn()
    return elements !== undefined
  }

  giveRoom(results: number): void {
    this.#room = results
    this.goOn()
  }

  /** Carries out what is due in the next `ms` of processing time. */
  advance(ms: number): void {
    const untilMs = this.scheduler.frame + ms
    this.scheduler.maxFrames = untilMs
    this.#advancing = true
    this.scheduler.flush()
    this.#advancing = false
    this.scheduler.frame = untilMs
    this.goOn()
  }

  /** Of the newest checkpoint whose barrier has been sent; the caller releases it. */
  takeSnapshot(): TaskSnapshot {
    this.#assertWorking()
    if (this.#newest === undefined) throw new Error('no barrier has been sent: there is no snapshot')
    const taken = this.#taken
    if (taken?.checkpoint === this.#newest) return taken
    throw new Error(
      this.#ended
        ? `checkpoint ${this.#newest} has no snapshot of this task, which has ended before its barrier`
        : `checkpoint ${this.#newest} has no snapshot yet: an aligned barrier waits for what came before it, and for all lanes`,
    )
  }

  get suspended(): boolean {
    return this.task.suspended || this.task.ready
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Takes what may be taken. */
  goOn(): void {
    this.#assertWorking()
    while (this.#takeOne()) this.#assertWorking()
    this.#assertWorking()
  }

  /** What becomes ready while time passes goes on at its time. An error is thrown once the time has passed. */
  #goOnInAdvance(): void {
    if (!this.#advancing) return
    this.#advancing = false
    while (this.#failed === undefined && this.#takeOne());
    this.#advancing = true
  }

  #takeOne(): boolean {
    const [gate, free] = [this.#gate, this.#room > 0]
    if (this.#triggeredMayBegin()) {
      this.#begin(this.#triggered as Barrier)
      this.#triggered = undefined
      this.#finish()
      return true
    }
    if (gate?.hasUnaligned === true) return gate.take({ recordsMax: Infinity, takes: 'unaligned barriers' })
    if (free && this.task.ready) {
      this.task.goOn()
      return true
    }
    if (this.task.suspended) return false
    return gate?.take({ recordsMax: Infinity, takes: free && !this.task.full ? 'all' : 'no data' }) ?? false
  }

  /** A barrier that waits behind what is suspended becomes unaligned. */
  #startLimit(barrier: Barrier): void {
    this.#limit.unsubscribe()
    const timeoutMs = timeoutMsOf(barrier)
    if (timeoutMs === undefined) return
    const passed = () => {
      if (this.#triggered?.checkpoint !== barrier.checkpoint) return
      this.#triggered = { ...barrier, alignment: 'unaligned' }
      this.#goOnInAdvance()
    }
    this.#limit = this.scheduler.schedule(passed, barrier.timestampMs + timeoutMs - this.scheduler.now())
  }

  #triggeredMayBegin(): boolean {
    const barrier = this.#triggered
    if (barrier === undefined || this.#ended) return false
    return barrier.alignment === 'unaligned' || !this.task.suspended
  }

  #aligned(element: AlignedElement<unknown>): void {
    switch (element.kind) {
      case 'begin':
        return this.#begin(element.barrier)
      case 'captured':
        return this.#underWay?.capture(element)
      case 'aligned':
        return this.#finish()
      case 'aborted':
        this.#underWay?.release()
        this.#underWay = undefined
        return this.#handOver(cancel(element.checkpoint))
      case 'buffer':
        this.#head = (this.#lanes[(this.#gate as ChannelGate<unknown>).current] as Lane).head
        return this.#handOver(element)
      default:
        return this.#handOver(element)
    }
  }

  #handOver(element: StreamElement<unknown>): void {
    if (element.kind === 'end') this.#inputEnded = true
    this.#head.next(element)
  }

  #expect({ checkpoint }: Barrier): void {
    this.#newest = checkpoint
  }

  #begin(barrier: Barrier): void {
    this.#head.next(barrier)
    this.#underWay = new SnapshotUnderWay({
      task: 'the harness',
      epoch: 1,
      checkpoint: barrier.checkpoint,
      operators: this.task.capture(),
      durable: [],
      syncMs: 0,
      begunAtMs: 0,
      channels: this.#lanes.map(({ channel }, input) => ({ channel, input, from: this.#subtask.index })),
      recovering: { generations: undefined, parked: [] },
      buffers: this.#captures.hold(),
    })
  }

  #finish(): void {
    if (this.#taken !== undefined) releaseSnapshot(this.#taken)
    const snapshot = this.#underWay?.finished(instant, 0)
    invariant(snapshot?.kind !== 'declined', () => 'the captures of a harness have no bound')
    this.#taken = snapshot
    this.#underWay = undefined
  }

  #builtGate(): ChannelGate<unknown> {
    const stored = this.task
      .open({ name: gateState.operator })
      .keep(gateState.watermarks, capturedWatermarks, () => this.#gate?.captureWatermarks())
    const gate = new ChannelGate(
      this.#lanes.map(({ channel }) => channel),
      stored,
    )
    this.#running.add(
      gate.pipe(align<unknown>({ scheduler: this.scheduler })).subscribe({
        next: element => this.#aligned(element),
        error: error => this.#fail(error),
      }),
    )
    return gate
  }

  #read<T>(source: Source<T>, node: OperatorNode): Observable<StreamElement<T>> {
    const { index, parallelism } = this.#subtask
    const assigned = splitsAtOnce(source).filter((_, split) => split % parallelism === index)
    const reading = new Reading(source, assigned, this.task.open(node), { ...node.lineage, scheduler: this.scheduler })
    this.#running.add(() => reading.close())
    this.#reading = reading
    return this.#head
  }

  #fail(error: unknown): void {
    this.#failed ??= { error }
    this.#running.unsubscribe()
  }

  #assertWorking(): void {
    if (this.#failed !== undefined) throw this.#failed.error
  }
}

/** @throws Error if they take time */
export const splitsAtOnce = (source: Source<unknown>): readonly SplitId[] => {
  let found: readonly SplitId[] | undefined
  from(source.splits()).subscribe(splits => {
    found = splits
  })
  if (found === undefined) throw new Error(`${source.name} does not know its splits at once, as a harness needs it`)
  return found
}

/** Nobody measures it. */
const instant = { startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0 }
