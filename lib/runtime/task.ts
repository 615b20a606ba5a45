import { from, mergeMap, type Observable, type SchedulerLike, Subject, Subscription, type Unsubscribable } from 'rxjs'
import type { Guarantee } from '../alignment/alignment.ts'
import type { AlignmentMetrics } from '../alignment/events.ts'
import type { CaptureBudget } from '../channel/captureBudget.ts'
import { asTriggered } from '../channel/forcedAligned.ts'
import { ChannelGate } from '../channel/gate.ts'
import { type Generations, generations, generationsType, isOver } from '../channel/generations.ts'
import type { Writer } from '../channel/writer.ts'
import { type Aligned, type AlignedElement, align } from '../control/align.ts'
import type { CoordinateEvent } from '../coordination/events.ts'
import {
  type Barrier,
  type Buffer,
  type CheckpointId,
  cancel,
  end,
  isUnaligned,
  recovered,
  type SplitId,
  type StreamElement,
  timeoutMsOf,
} from '../element.ts'
import type { Edge, Stage } from '../graph/plan.ts'
import { Reading, type SourceMetrics } from '../graph/reading.ts'
import type { Source } from '../graph/source.ts'
import type { OperatorNode, Stream } from '../graph/stream.ts'
import type { Awaiting, Rest, Subtask, Task } from '../graph/task.ts'
import { Unfinished } from '../graph/unfinished.ts'
import { checkRoundTrip } from '../snapshot/checkRoundTrip.ts'
import type { Coding } from '../snapshot/chunk.ts'
import { encodedAtOnce } from '../snapshot/encodedAtOnce.ts'
import { gateState } from '../snapshot/frame.ts'
import { hashOf } from '../snapshot/hashOf.ts'
import type { ChannelData, LastBarrier, OutputData, RestoredTask, TaskId, TaskSnapshot } from '../snapshot/snapshot.ts'
import { type CapturedOperator, capturedOf, OperatorState, type RoundTrip } from '../state/operatorState.ts'
import { Sample } from '../state/sample.ts'
import { capturedWatermarks } from '../time/capturedWatermarks.ts'
import { Debloater, type InputMetrics } from './debloater.ts'
import type { Executor, Member } from './executor.ts'
import type { DebloatSettings } from './options.ts'
import { Outboxes, type OutputChannel } from './outboxes.ts'
import { Pace } from './pace.ts'
import { Publications } from './publications.ts'
import type { OperatorFates } from './restorePlan.ts'
import { type SinkMetrics, SinkOutput } from './sinkOutput.ts'
import { type BarrierMetrics, type InputChannel, SnapshotUnderWay } from './snapshotUnderWay.ts'
import type { TaskStand } from './stalled.ts'

/** Where a task may fail as it could by a user's function: built, at the beginning of a turn, in the midst of a snapshot. */
export type TaskDoing =
  | { readonly kind: 'built' | 'turn'; readonly task: TaskId }
  | { readonly kind: 'begun'; readonly task: TaskId; readonly checkpoint: CheckpointId }

export type TaskEvent =
  | TaskSnapshot
  | Extract<CoordinateEvent, { kind: 'published' | 'declined' | 'failed' | 'backlog' }>

export interface RunningTaskOptions {
  readonly id: TaskId
  readonly stage: Stage
  readonly subtask: Subtask
  readonly epoch: number
  readonly executor: Executor
  readonly scheduler: SchedulerLike
  readonly clock: () => number
  readonly keyGroups: number
  readonly bufferRecordsMax: number
  readonly checks: boolean
  /** Snapshots may hold only what has changed. */
  readonly incremental: boolean
  readonly encoding: Coding
  readonly guarantee: Guarantee
  readonly publishTimeoutMs: number
  /** The splits of the stage's source that belong to this task. */
  readonly splits: readonly SplitId[]
  readonly channels: readonly InputChannel[]
  /** The job's. */
  readonly captures: CaptureBudget
  /** By the stage's outputs; each calls back when it becomes available. */
  readonly writers: (onAvailable: () => void) => readonly Writer<unknown>[]
  /** Output channels in whose sending halves barriers may wait, or pass data. */
  readonly outputs: readonly OutputChannel[]
  /** Of the output channels; closed with the task. */
  readonly links: readonly Unsubscribable[]
  readonly report: (event: TaskEvent) => void
  readonly observe: ((doing: TaskDoing) => void) | undefined
}

/**
 * One task: gate -> align -> the stage's operators -> writers and sinks, on the executor's turns.
 *
 * What it takes in a turn: an unaligned barrier always and first; else it resumes what is suspended, once the output is
 * free; else the next element, data only while the output is free.
 */
export class RunningTask implements Task, Member {
  queued = false
  urgent = false
  readonly id: TaskId
  readonly subtask: Subtask
  readonly scheduler: SchedulerLike
  readonly keyGroups: number
  readonly bufferRecordsMax: number
  readonly checks: boolean
  /** It is restored as ended, and only says so. */
  readonly endedBefore: boolean
  readonly #options: RunningTaskOptions
  /** Until it begins. */
  #restored: RestoredTask | undefined
  readonly #states: OperatorState[] = []
  readonly #inputs = new Map<Stream<any, any>, Subject<StreamElement<any>>>()
  #sinks: readonly SinkOutput[] = []
  readonly #writers: readonly Writer<unknown>[]
  readonly #outboxes: Outboxes
  readonly #unfinished = new Unfinished()
  readonly #pace: Pace
  /** One for all operators. */
  readonly #roundTrip: RoundTrip
  readonly #running = new Subscription()
  /** Where there are sinks. */
  #publications: Publications | undefined
  #head = new Subject<StreamElement<any>>()
  #gate: ChannelGate<unknown> | undefined
  #reading: Reading<unknown> | undefined
  #triggered: Barrier | undefined
  /** The checkpoint behind which the source is not to be read. */
  #stopsAt: CheckpointId | undefined
  /** When the barrier that waits, behind what is suspended or in sending halves, becomes unaligned. */
  #limit: Subscription | undefined
  #snapshot: SnapshotUnderWay | undefined
  #lastCheckpoint: CheckpointId = 0
  #inputEnded = false
  /** Of a source that has been restored at another parallelism: its markers come before anything that it reads. */
  #owedMarkers: Generations | undefined
  #failedBeforeStart: { readonly error: unknown } | undefined
  #outputsOpen: number
  #state: 'new' | 'running' | 'ended' | 'stopped' = 'new'
  /** By input; none while debloating is off. */
  #debloaters: readonly Debloater[] = []
  #active = false
  #inBacklog = false

  constructor(options: RunningTaskOptions, restored: RestoredTask | undefined) {
    this.id = options.id
    this.subtask = options.subtask
    this.scheduler = options.scheduler
    this.keyGroups = options.keyGroups
    this.bufferRecordsMax = options.bufferRecordsMax
    this.checks = options.checks
    this.#options = options
    this.#restored = restored
    this.#roundTrip = (stored, place) => checkRoundTrip(stored, { place, encoding: options.encoding })
    this.endedBefore = restored?.ended === true
    this.#pace = new Pace(options.clock, options.bufferRecordsMax)
    const wake = () => this.#wake()
    this.#writers = options.writers(wake)
    for (const writer of this.#writers) writer.onPartial = () => options.executor.flushLater(writer)
    for (const link of options.links) this.#running.add(link)
    this.#outboxes = new Outboxes(options.outputs, () => this.#guarded(() => this.#sent()))
    this.#outputsOpen = this.#writers.length + options.stage.pipelines.length
    this.#sinks = options.stage.pipelines.map(
      pipeline =>
        new SinkOutput({
          sink: pipeline.sink,
          subtask: options.subtask,
          epoch: options.epoch,
          state: this.open(pipeline),
          scheduler: options.scheduler,
          publishTimeoutMs: options.publishTimeoutMs,
          onReady: wake,
          onError: error => this.#fail(error),
        }),
    )
    if (!this.endedBefore) {
      this.#build()
      this.#guarded(() => options.observe?.({ kind: 'built', task: this.id }))
    }
    if (this.#sinks.length > 0) {
      this.#publications = new Publications({
        sinks: this.#sinks,
        onPublished: checkpoint => this.#published(checkpoint),
        onError: error => this.#fail(error),
      })
    }
  }

  /** What has failed while the task was built. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failedBeforeStart
  }

  /** Restored state that no operator has asked for. */
  unclaimed(): readonly string[] {
    const restored = this.#restored
    if (restored === undefined || restored.ended) return []
    const open = new Set(this.#states.map(({ operator }) => operator))
    return [
      ...[...restored.operators.keys()].filter(operator => !open.has(operator)),
      ...this.#states.flatMap(state => state.unclaimed().map(name => `${state.operator}, state ${name}`)),
    ]
  }

  /** What becomes of its state. */
  get stateFates(): readonly OperatorFates[] {
    return this.#states.map(state => ({ operator: state.operator, fates: state.fates() }))
  }

  /** Brings the sinks to where the restored checkpoint has them. Before `start`. */
  recovered(): Observable<unknown> {
    return from(this.#sinks).pipe(mergeMap(sink => sink.recovered()))
  }

  start(): void {
    this.#restored = undefined
    for (const state of this.#states) state.begun()
    if (this.#failedBeforeStart !== undefined) {
      this.#state = 'running'
      return this.#fail(this.#failedBeforeStart.error)
    }
    if (this.endedBefore) {
      this.#state = 'ended'
      for (const writer of this.#writers) writer.next(end)
      return
    }
    this.#state = 'running'
    this.#options.executor.wake(this)
  }

  /** It is no more: gives back all that it has, and says nothing any more. */
  stop(): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#running.unsubscribe()
    this.#dropSnapshot()
    this.#reading?.close()
    this.#publications?.stop()
    for (const sink of this.#sinks) sink.close()
    for (const writer of this.#writers) {
      this.#options.executor.forget(writer)
      writer.close()
    }
  }

  /** A checkpoint has been triggered. `stops`: behind it the source is not read, until it is aborted, or `resume`. */
  trigger(barrier: Barrier, { stops }: { readonly stops: boolean } = { stops: false }): void {
    if (this.#state === 'ended') {
      for (const writer of this.#writers) writer.next(barrier)
    } else if (this.#state === 'running' && (this.#gate === undefined || this.#inputEnded)) {
      this.#triggered = barrier
      if (stops) this.#stopsAt = barrier.checkpoint
      this.#startLimit(barrier, () => {
        this.#triggered = { ...barrier, alignment: 'unaligned' }
        this.#options.executor.wakeFirst(this)
      })
      this.#options.executor.wakeFirst(this)
    }
  }

  /** The source is read again. */
  resume(): void {
    this.#stopsAt = undefined
    this.#options.executor.wake(this)
  }

  /** The source ends where it is. */
  drain(): void {
    if (this.#state === 'running') this.#reading?.drain()
  }

  /** The task's part of the checkpoint is durable. */
  publish(checkpoint: CheckpointId): void {
    if (this.#state === 'new' || this.#state === 'stopped') return
    if (this.#publications === undefined) this.#published(checkpoint)
    else this.#publications.publish(checkpoint)
  }

  /** The checkpoint is given up; barriers of it that still come do nothing. Publishes its newest finished part, if that was missed. */
  abort(checkpoint: CheckpointId, latestFinished: CheckpointId | undefined): void {
    if (this.#state === 'new' || this.#state === 'stopped') return
    if (this.#triggered?.checkpoint === checkpoint) {
      this.#triggered = undefined
      this.#limit?.unsubscribe()
    }
    if (this.#stopsAt === checkpoint) this.#stopsAt = undefined
    this.#gate?.cancel(checkpoint)
    if (this.#snapshot?.checkpoint === checkpoint) this.#dropSnapshot()
    this.#options.executor.wake(this)
    // Of a part from before this run there is nothing left to publish; a task that ends at once has a cut of a smaller number.
    if (latestFinished === undefined || latestFinished > this.#lastCheckpoint) return
    if (this.#sinks.some(sink => sink.isUnpublished(latestFinished))) this.publish(latestFinished)
  }

  turn(): void {
    if (this.#state !== 'running') return
    try {
      this.#options.observe?.({ kind: 'turn', task: this.id })
      this.#pace.begin()
      this.#takeOne()
      if (this.#debloaters.length > 0) this.#noteActivity()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Measures the inputs, and wishes for buffers of another size; undefined: of any. */
  debloat(settings: DebloatSettings | undefined): void {
    if (this.#state === 'stopped') return
    const { channels, clock, stage, bufferRecordsMax } = this.#options
    if (settings === undefined) {
      for (const debloater of this.#debloaters) debloater.stop()
      this.#debloaters = []
    } else if (this.#debloaters.length === 0) {
      this.#active = false
      this.#debloaters = stage.inputs.map((_, input) => {
        const own = channels.filter(of => of.input === input).map(({ channel }) => channel)
        return new Debloater(own, { bufferRecordsMax })
      })
      this.#noteActivity()
    } else for (const debloater of this.#debloaters) debloater.measure(settings, clock())
  }

  /** By input; empty while debloating is off. */
  get inputMetrics(): readonly InputMetrics[] {
    return this.#debloaters.map(({ metrics }) => metrics)
  }

  /** Of a task that reads a source. */
  get sourceMetrics(): SourceMetrics | undefined {
    const [first] = this.#options.stage.nodes
    return this.#reading && { source: (first as OperatorNode).name, ...this.#reading.metrics }
  }

  /**
   * A task is active while it has data. Time in which its outputs are full counts too: its input is as fast as they let it
   * be, and is to hold no more than the target time at that speed.
   */
  #noteActivity(): void {
    const active = this.#unfinished.suspended || this.#gate?.hasFor('all') === true
    if (active === this.#active) return
    this.#active = active
    const nowMs = this.#options.clock()
    for (const debloater of this.#debloaters) debloater.happened({ kind: active ? 'busy' : 'idle' }, nowMs)
  }

  #wake(): void {
    if (this.#debloaters.length > 0) this.#noteActivity()
    this.#options.executor.wake(this)
  }

  /** Of the pace, or so few that they do not fill more than a buffer of the size that is wished for. */
  get #recordsMax(): number {
    let { recordsMax } = this.#pace
    for (const { batchRecordsMax } of this.#writers) recordsMax = Math.min(recordsMax, batchRecordsMax)
    return recordsMax
  }

  /** In its input channels, and being filled for them; of a link only what has arrived. */
  get buffersHeld(): number {
    if (this.#state === 'stopped') return 0
    return this.#options.channels.reduce((sum, { channel }) => sum + channel.held, 0)
  }

  get sinkMetrics(): readonly SinkMetrics[] {
    return this.#sinks.map(({ metrics }) => metrics)
  }

  get stand(): TaskStand {
    return {
      task: this.id,
      state: this.#state,
      hasWork: this.hasWork,
      suspended: this.#unfinished.suspended,
      full: this.#unfinished.full,
      inputs: this.#options.channels.map(({ channel: { held, head, blocked }, input, from }) => ({
        ...{ input, from, blocked },
        buffers: held,
        head: head?.kind,
      })),
      outputs: this.#writers.map(({ poolStand }) => poolStand),
      sinks: this.#sinks.map(({ available }) => available),
    }
  }

  get hasUrgentWork(): boolean {
    if (this.#state !== 'running') return false
    return this.#triggeredMayBegin() || this.#gate?.hasUnaligned === true
  }

  get hasWork(): boolean {
    if (this.#state !== 'running') return false
    if (this.hasUrgentWork) return true
    const free = this.#outputsFree
    if (free && this.#unfinished.ready) return true
    if (this.#unfinished.suspended) return false
    if (free && this.#mayPass) return true
    if (this.#owedMarkers !== undefined) return false
    const takesData = free && !this.#unfinished.full
    return this.#gate === undefined
      ? takesData && this.#reads && this.#reading?.ready === true
      : this.#gate.hasFor(takesData ? 'all' : 'no data')
  }

  // As operators see it.

  input<T>(stream: Stream<T>): Observable<StreamElement<T>> | undefined {
    return this.#inputs.get(stream)
  }

  read<T>(source: Source<T>, node: OperatorNode): Observable<StreamElement<T>> {
    const { lineage } = node
    this.#reading = new Reading(source, this.#options.splits, this.open(node), {
      ...lineage,
      scheduler: this.scheduler,
    })
    this.#running.add(
      this.#reading.ready$.subscribe({
        next: () => this.#options.executor.wake(this),
        error: error => this.#fail(error),
      }),
    )
    return this.#head
  }

  mayGoOn(position: number): boolean {
    return this.#outputsFree && this.#unfinished.nothingNearer(position) && this.hasTurn()
  }

  hasTurn(): boolean {
    return this.#pace.hasTime() && this.#triggered?.alignment !== 'unaligned' && this.#gate?.hasUnaligned !== true
  }

  suspend(rest: Rest): void {
    this.#unfinished.suspend(rest)
  }

  awaits(operator: Awaiting): () => void {
    this.#unfinished.awaits(operator)
    return () => this.#options.executor.wake(this)
  }

  open(node: { readonly name: string }): OperatorState {
    const { incremental, checks } = this.#options
    const state = new OperatorState(node.name, this.keyGroups, this.#restored?.operators.get(node.name), {
      incremental,
      hashOf: checks ? hashOf : undefined,
      roundTrip: this.#roundTrip,
    })
    this.#states.push(state)
    return state
  }

  // What a turn does.

  #takeOne(): void {
    const gate = this.#gate
    if (this.#triggeredMayBegin()) {
      const barrier = this.#triggered as Barrier
      this.#triggered = undefined
      this.#limit?.unsubscribe()
      const startDelayMs = Math.max(0, this.scheduler.now() - barrier.timestampMs)
      this.#begin(barrier)
      return this.#finish({ ...instant, startDelayMs })
    }
    if (gate?.hasUnaligned === true) {
      gate.take({ recordsMax: this.#recordsMax, takes: 'unaligned barriers' })
      return
    }
    const free = this.#outputsFree
    if (free && this.#unfinished.ready) return this.#unfinished.goOn()
    if (this.#unfinished.suspended) return
    if (free && this.#mayPass) return this.#pass()
    const takesData = free && !this.#unfinished.full
    if (gate !== undefined) {
      gate.take({ recordsMax: this.#recordsMax, takes: takesData ? 'all' : 'no data' })
    } else if (takesData && this.#reads && this.#owedMarkers === undefined) {
      for (const element of this.#reading?.take(this.#recordsMax) ?? []) this.#handOver(element)
      this.#tellBacklog()
    }
  }

  get #reads(): boolean {
    return this.#stopsAt === undefined || this.#lastCheckpoint < this.#stopsAt
  }

  #tellBacklog(): void {
    const is = this.#reading?.inBacklog === true
    if (is === this.#inBacklog) return
    this.#inBacklog = is
    this.#report({ kind: 'backlog', task: this.id, is })
  }

  /** The generation of recovered data is worked off. */
  get #mayPass(): boolean {
    return (this.#owedMarkers !== undefined || this.#gate?.mayPass === true) && this.#unfinished.done
  }

  #pass(): void {
    if (this.#gate !== undefined) return this.#gate.pass()
    const owed = this.#owedMarkers as Generations
    const next = generations(owed, { kind: 'passed' })
    this.#owedMarkers = isOver(next) ? undefined : next
    this.#handOver(recovered(owed.generation))
  }

  get #outputsFree(): boolean {
    for (const writer of this.#writers) if (!writer.available) return false
    for (const sink of this.#sinks) if (!sink.available) return false
    return true
  }

  /** An aligned barrier waits until nothing is suspended, and follows the last marker. */
  #triggeredMayBegin(): boolean {
    const barrier = this.#triggered
    if (barrier === undefined) return false
    return barrier.alignment === 'unaligned' || (!this.#unfinished.suspended && this.#owedMarkers === undefined)
  }

  #startLimit(barrier: Barrier, passed: () => void): void {
    this.#limit?.unsubscribe()
    const timeoutMs = timeoutMsOf(barrier)
    if (timeoutMs === undefined) return
    const leftMs = Math.max(0, barrier.timestampMs + timeoutMs - this.scheduler.now())
    this.#limit = this.scheduler.schedule(passed, leftMs)
  }

  #handOver(element: StreamElement<unknown>): void {
    if (element.kind === 'end') this.#inputEnded = true
    const records = element.kind === 'buffer' ? element.records.length : 0
    this.#head.next(element)
    if (records > 0) this.#pace.handled(records)
  }

  #aligned(element: AlignedElement<unknown>): void {
    switch (element.kind) {
      case 'begin':
        return this.#begin(asTriggered(element.barrier))
      case 'captured':
        return this.#snapshot?.capture(element)
      case 'aligned':
        return this.#finish({ ...metricsOf(element), lastBarrier: this.#lastBarrier(element.checkpoint) })
      case 'aborted':
        this.#dropSnapshot()
        // A newer barrier may have done it as it arrived, in the producer's turn: there is more to take now.
        this.#options.executor.wake(this)
        return this.#head.next(cancel(element.checkpoint))
      case 'buffer': {
        const { input } = this.#options.channels[(this.#gate as ChannelGate<unknown>).current] as InputChannel
        const { stream, exchange } = this.#options.stage.inputs[input] as Edge
        this.#head = this.#inputs.get(stream) as Subject<any>
        this.#debloaters[input]?.happened({ kind: 'added', records: element.records.length }, this.#options.clock())
        return this.#handOver(exchange === 'keyed' ? element : withoutGroups(element))
      }
      default:
        return this.#handOver(element)
    }
  }

  /** The synchronous phase: the barrier goes on, and references are taken. */
  #begin(barrier: Barrier): void {
    const { clock, observe } = this.#options
    const begunMs = clock()
    const begunAtMs = this.scheduler.now()
    this.#lastCheckpoint = barrier.checkpoint
    this.#head.next(barrier)
    observe?.({ kind: 'begun', task: this.id, checkpoint: barrier.checkpoint })
    const captured = this.#capture({ whole: false })
    this.#dropSnapshot()
    this.#snapshot = new SnapshotUnderWay({
      task: this.id,
      epoch: this.#options.epoch,
      checkpoint: barrier.checkpoint,
      operators: captured,
      durable: this.#durable(),
      syncMs: clock() - begunMs,
      begunAtMs,
      channels: this.#options.channels,
      recovering: { generations: this.#gate?.captureGenerations(), parked: this.#gate?.captureParked() ?? [] },
      buffers: this.#options.captures.hold(),
    })
    if (isUnaligned(barrier)) this.#snapshot.passed(this.#passed(barrier.checkpoint))
    else if (this.#outboxes.holds(barrier.checkpoint)) {
      this.#startLimit(barrier, () => this.#guarded(() => this.#goesAtOnce(barrier)))
    }
  }

  /** What the checkpoint's barrier passes in the sending halves. */
  #passed(checkpoint: CheckpointId): readonly OutputData[] {
    return this.#outboxes.capture(checkpoint, (this.#owedMarkers ?? this.#gate?.captureGenerations())?.generation)
  }

  /** The one that has just been taken. */
  #lastBarrier(checkpoint: CheckpointId): LastBarrier {
    const { channel, input, from } = this.#options.channels[
      (this.#gate as ChannelGate<unknown>).current
    ] as InputChannel
    const producer = (this.#options.stage.inputs[input] as Edge).from.id
    return { from: `${producer}/${from}`, buffers: channel.buffersBefore(checkpoint) }
  }

  #finish(metrics: BarrierMetrics): void {
    if (this.#snapshot === undefined) return
    this.#snapshot.metrics = metrics
    this.#reportIfWhole()
  }

  /** All its barriers have come, and its own has left, or has passed what waits. */
  #reportIfWhole(): void {
    const snapshot = this.#snapshot
    if (snapshot?.metrics === undefined || this.#outboxes.holds(snapshot.checkpoint)) return
    this.#limit?.unsubscribe()
    this.#snapshot = undefined
    this.#report(snapshot.finished(snapshot.metrics, this.scheduler.now()))
  }

  /** The barrier has waited in sending halves for too long. */
  #goesAtOnce({ checkpoint }: Barrier): void {
    if (this.#snapshot?.checkpoint !== checkpoint) return
    this.#snapshot.passed(this.#passed(checkpoint))
    this.#outboxes.prioritize(checkpoint)
  }

  /** A barrier, or an end, has left a sending half in which it has waited. */
  #sent(): void {
    this.#reportIfWhole()
    if (this.#outputsOpen === 0) this.#endIfSent()
  }

  #dropSnapshot(): void {
    this.#limit?.unsubscribe()
    this.#snapshot?.release()
    this.#snapshot = undefined
  }

  #capture({ whole }: { readonly whole: boolean }): readonly CapturedOperator[] {
    return encodedAtOnce(capturedOf(this.#states), { coding: this.#options.encoding, whole })
  }

  #durable(): readonly Observable<unknown>[] {
    const [sink, ...others] = this.#sinks
    if (sink === undefined) return []
    return others.length === 0 ? sink.durable : this.#sinks.flatMap(({ durable }) => durable)
  }

  #outputEnded(): void {
    this.#outputsOpen--
    if (this.#outputsOpen === 0) this.#endIfSent()
  }

  /** Until its ends have left, what waits before them is part of its snapshots. */
  #endIfSent(): void {
    if (this.#state !== 'running' || this.#outboxes.holds('end')) return
    this.#state = 'ended'
    // Published with the first checkpoint that the task's last snapshot stands in.
    for (const sink of this.#sinks) sink.cut(this.#lastCheckpoint + 1)
    this.#report({
      kind: 'snapshot',
      task: this.id,
      epoch: this.#options.epoch,
      ended: true,
      checkpoint: this.#lastCheckpoint + 1,
      operators: this.#capture({ whole: true }),
      inFlight: [],
      outputs: [],
      durable: this.#durable(),
      times: { ...instant, syncMs: 0, begunAtMs: this.scheduler.now(), wholeAtMs: this.scheduler.now() },
    })
    this.#reading?.close()
  }

  #published(checkpoint: CheckpointId): void {
    this.#options.report({ kind: 'published', tasks: [this.id], checkpoint })
  }

  // How it is put together.

  #build(): void {
    const { stage } = this.#options
    if (stage.inputs.length > 0) {
      for (const { stream } of stage.inputs) this.#inputs.set(stream, new Subject())
      this.#head = this.#inputs.get((stage.inputs[0] as { stream: Stream<any, any> }).stream) as Subject<any>
      this.#buildGate()
    } else this.#owedMarkers = this.#generationsKept(this.open({ name: gateState.operator }))
    stage.outputs.forEach(({ stream }, output) => {
      const writer = this.#writers[output] as Writer<unknown>
      const sample = this.#sampleOf(stream)
      this.#connect(stream, element => {
        if (element.kind === 'buffer') sample.passAll(element.records)
        writer.next(element)
      })
    })
    stage.pipelines.forEach(({ input }, output) => {
      const sink = this.#sinks[output] as SinkOutput
      this.#connect(input, element => sink.next(element))
    })
    for (const data of this.#restored?.inFlight ?? []) this.#restoreInFlight(data)
  }

  #restoreInFlight({ input, from, generation, elements }: ChannelData): void {
    const { channels } = this.#options
    const channel = channels.findIndex(to => to.input === input && to.from === from)
    const now = this.#gate?.captureGenerations()?.delivered[channel] ?? 0
    if (generation !== undefined && generation > now) this.#gate?.park({ channel, generation, elements })
    else channels[channel]?.channel.restore(elements)
  }

  /** Of an edge's records, so that what cannot be part of a snapshot is refused long before one needs it. */
  #sampleOf({ node }: Stream<any, any>): Sample<unknown> {
    const of = { place: `record of ${makerOf(node).name}`, encoding: this.#options.encoding }
    return new Sample(record => {
      checkRoundTrip(record, of)
    })
  }

  #buildGate(): void {
    const { channels, executor } = this.#options
    const state = this.open({ name: gateState.operator })
    const stored = state.keep(gateState.watermarks, capturedWatermarks, () => this.#gate?.captureWatermarks())
    const gate = new ChannelGate(
      channels.map(({ channel }) => channel),
      stored,
      this.#generationsKept(state),
    )
    this.#gate = gate
    gate.onArrived = () => (gate.hasUnaligned ? executor.wakeFirst(this) : this.#wake())
    this.#running.add(
      gate.pipe(align<unknown>({ scheduler: this.scheduler, guarantee: this.#options.guarantee })).subscribe({
        next: element => this.#guarded(() => this.#aligned(element)),
        error: error => this.#fail(error),
      }),
    )
  }

  /** How far the task is in the generations of recovered data; undefined: there is none, or it is worked off. */
  #generationsKept(state: OperatorState): Generations | undefined {
    return state.keep(gateState.generations, generationsType, () =>
      this.#gate === undefined ? this.#owedMarkers : this.#gate.captureGenerations(),
    )
  }

  #connect(stream: Stream<any, any>, take: (element: StreamElement<unknown>) => void): void {
    this.#running.add(
      stream.in(this).subscribe({
        next: element =>
          this.#guarded(() => {
            take(element)
            if (element.kind === 'end') this.#outputEnded()
          }),
        error: error => this.#fail(error),
      }),
    )
  }

  /** An error must not be thrown into RxJS, which would report it to the host instead. */
  #guarded(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (this.#state === 'stopped') return
    if (this.#state === 'new') {
      // Nobody hears it yet.
      this.#failedBeforeStart ??= { error }
      return
    }
    this.stop()
    this.#options.report({ kind: 'failed', task: this.id, error })
  }

  #report(event: TaskEvent): void {
    if (this.#state !== 'stopped') this.#options.report(event)
  }
}

const metricsOf = ({ startDelayMs, alignmentMs, processedDuringAlignment }: Aligned): AlignmentMetrics => ({
  startDelayMs,
  alignmentMs,
  processedDuringAlignment,
})

/** Of a task that waits for no barriers. */
const instant: AlignmentMetrics = { startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0 }
/** Those of a stage before: here they would tell a restore at another parallelism a wrong owner. */
const withoutGroups = (of: Buffer<unknown>): Buffer<unknown> =>
  of.groups === undefined ? of : { ...of, keys: undefined, groups: undefined }

/** The operator that made a stream's records; one that exchanges only deals them. */
const makerOf = (node: OperatorNode): OperatorNode => {
  const [input] = node.lineage.inputs
  return node.lineage.exchange === undefined || input === undefined ? node : makerOf(input.node)
}
