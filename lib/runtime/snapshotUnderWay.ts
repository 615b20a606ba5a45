import type { Observable } from 'rxjs'
import type { AlignmentMetrics } from '../alignment/events.ts'
import type { CaptureHold } from '../channel/captureBudget.ts'
import type { ReceivingHalf } from '../channel/channel.ts'
import type { Captured, ChannelId, Parked } from '../channel/gate.ts'
import type { Generations } from '../channel/generations.ts'
import type { CoordinateEvent } from '../coordination/events.ts'
import { type CheckpointId, countBuffers, type StreamElement } from '../element.ts'
import { releaseSnapshot } from '../snapshot/format.ts'
import type { ChannelData, LastBarrier, OutputData, TaskId, TaskSnapshot } from '../snapshot/snapshot.ts'
import type { CapturedOperator } from '../state/operatorState.ts'

/** An input channel of a task, and where it comes from. */
export interface InputChannel {
  readonly channel: ReceivingHalf<unknown>
  /** Number of the stage's input. */
  readonly input: number
  /** The producer's number in its stage. */
  readonly from: number
}

/** What is known once all barriers have come. */
export interface BarrierMetrics extends AlignmentMetrics {
  readonly lastBarrier?: LastBarrier
}

/** How far the task was in the generations of recovered data when the snapshot was begun. */
export interface Recovering {
  readonly generations: Generations | undefined
  /** What was still to be taken in its generation. */
  readonly parked: readonly Parked<unknown>[]
}

interface Begun {
  readonly task: TaskId
  /** In which the task was started. */
  readonly epoch: number
  readonly checkpoint: CheckpointId
  readonly operators: readonly CapturedOperator[]
  readonly durable: readonly Observable<unknown>[]
  readonly syncMs: number
  readonly begunAtMs: number
  readonly channels: readonly InputChannel[]
  readonly recovering: Recovering
  /** Counts the buffers captured. */
  readonly buffers: CaptureHold
}

/** A snapshot whose in-flight data is not yet whole. */
export class SnapshotUnderWay {
  /** Once all barriers have come. */
  metrics: BarrierMetrics | undefined
  readonly #begun: Begun
  /** What stands in the channels, with what is taken before it; none of an aligned checkpoint. */
  #inFlight: Map<ChannelId, Filling> | undefined
  /** Of later generations than what stands in its channel. */
  #parked: readonly ChannelData[] = []
  #outputs: readonly OutputData[] = []

  constructor(begun: Begun) {
    this.#begun = begun
    for (const parked of begun.recovering.parked) this.#park(parked)
  }

  get checkpoint(): CheckpointId {
    return this.#begun.checkpoint
  }

  capture({ checkpoint, channel, elements }: Captured<unknown>): void {
    if (checkpoint === this.checkpoint && this.#holds(elements)) this.#fillingOf(channel).push(...elements)
  }

  /** What its barrier has passed in the sending halves. */
  passed(outputs: readonly OutputData[]): void {
    if (this.#holds(outputs.flatMap(({ elements }) => elements))) this.#outputs = outputs
  }

  /** Counts the buffers among them; if they are too many, what has been captured is of no use. */
  #holds(elements: readonly StreamElement<unknown>[]): boolean {
    const { buffers } = this.#begun
    buffers.add(countBuffers(elements))
    if (buffers.refused) {
      this.#inFlight = undefined
      this.#parked = []
      this.#outputs = []
    }
    return !buffers.refused
  }

  /** Declined if more was in flight than snapshots may hold: it cannot be whole. */
  finished(metrics: BarrierMetrics, wholeAtMs: number): TaskSnapshot | Extract<CoordinateEvent, { kind: 'declined' }> {
    const { task, epoch, checkpoint, operators, durable, syncMs, begunAtMs, buffers } = this.#begun
    if (buffers.refused) {
      this.release()
      const reason = `more is in flight than the ${buffers.buffersMax} buffers that a job's snapshots may hold`
      return { kind: 'declined', task, ended: false, checkpoint, reason, cause: 'declined' }
    }
    return {
      kind: 'snapshot',
      task,
      epoch,
      ended: false,
      checkpoint,
      operators,
      inFlight: [...(this.#inFlight?.values() ?? []), ...this.#parked],
      outputs: this.#outputs,
      captured: buffers,
      durable,
      times: { ...metrics, syncMs, begunAtMs, wholeAtMs },
    }
  }

  release(): void {
    const { operators, buffers: captured } = this.#begun
    releaseSnapshot({ operators, captured })
  }

  #park({ channel, generation, elements }: Parked<unknown>): void {
    if (!this.#holds(elements)) return
    if (generation === this.#generationIn(channel)) this.#fillingOf(channel).push(...elements)
    else this.#parked = [...this.#parked, { ...this.#placeOf(channel), generation, elements }]
  }

  /** That of what stands in the channel; undefined: it is newer than all recovered data. */
  #generationIn(channel: ChannelId): number | undefined {
    return this.#begun.recovering.generations?.delivered[channel]
  }

  #fillingOf(channel: ChannelId): StreamElement<unknown>[] {
    this.#inFlight ??= new Map()
    let known = this.#inFlight.get(channel)
    if (known === undefined) {
      known = { ...this.#placeOf(channel), generation: this.#generationIn(channel), elements: [] }
      this.#inFlight.set(channel, known)
    }
    return known.elements
  }

  #placeOf(channel: ChannelId): Pick<ChannelData, 'input' | 'from'> {
    const { input, from } = this.#begun.channels[channel] as InputChannel
    return { input, from }
  }
}

interface Filling extends ChannelData {
  readonly elements: StreamElement<unknown>[]
}
