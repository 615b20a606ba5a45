import type { Observable } from 'rxjs'
import type { AlignmentMetrics } from '../alignment/events.ts'
import type { ReceivingHalf } from '../channel/channel.ts'
import type { Captured, ChannelId, Parked } from '../channel/gate.ts'
import type { Generations } from '../channel/generations.ts'
import type { CheckpointId, StreamElement } from '../element.ts'
import { releaseSnapshot } from '../snapshot/format.ts'
import type { ChannelData, OutputData, TaskId, TaskSnapshot } from '../snapshot/snapshot.ts'
import type { CapturedOperator } from '../state/operatorState.ts'

/** An input channel of a task, and where it comes from. */
export interface InputChannel {
  readonly channel: ReceivingHalf<unknown>
  /** Number of the stage's input. */
  readonly input: number
  /** The producer's number in its stage. */
  readonly from: number
}

/** How far the task was in the generations of recovered data when the snapshot was begun. */
export interface Recovering {
  readonly generations: Generations | undefined
  /** What was still to be taken in its generation. */
  readonly parked: readonly Parked<unknown>[]
}

/** A snapshot whose in-flight data is not yet whole. */
export class SnapshotUnderWay {
  readonly checkpoint: CheckpointId
  /** Once all barriers have come. */
  metrics: AlignmentMetrics | undefined
  readonly #operators: readonly CapturedOperator[]
  readonly #durable: readonly Observable<unknown>[]
  readonly #syncMs: number
  readonly #channels: readonly InputChannel[]
  readonly #generations: Generations | undefined
  /** What stands in the channels, with what is taken before it. */
  readonly #inFlight = new Map<ChannelId, Filling>()
  /** Of later generations than what stands in its channel. */
  readonly #parked: ChannelData[] = []
  #outputs: readonly OutputData[] = []

  constructor(
    checkpoint: CheckpointId,
    of: {
      readonly operators: readonly CapturedOperator[]
      readonly durable: readonly Observable<unknown>[]
      readonly syncMs: number
      readonly channels: readonly InputChannel[]
      readonly recovering: Recovering
    },
  ) {
    this.checkpoint = checkpoint
    this.#operators = of.operators
    this.#durable = of.durable
    this.#syncMs = of.syncMs
    this.#channels = of.channels
    this.#generations = of.recovering.generations
    for (const { channel, generation, elements } of of.recovering.parked) {
      if (generation === this.#generations?.delivered[channel]) this.#fillingOf(channel).push(...elements)
      else this.#parked.push({ ...this.#placeOf(channel), generation, elements })
    }
  }

  capture({ checkpoint, channel, elements }: Captured<unknown>): void {
    if (checkpoint === this.checkpoint) this.#fillingOf(channel).push(...elements)
  }

  /** What its barrier has passed in the sending halves. */
  passed(outputs: readonly OutputData[]): void {
    this.#outputs = outputs
  }

  finished(task: TaskId, metrics: AlignmentMetrics): TaskSnapshot {
    return {
      kind: 'snapshot',
      task,
      ended: false,
      checkpoint: this.checkpoint,
      operators: this.#operators,
      inFlight: [...this.#inFlight.values(), ...this.#parked],
      outputs: this.#outputs,
      durable: this.#durable,
      times: { ...metrics, syncMs: this.#syncMs },
    }
  }

  release(): void {
    releaseSnapshot({ operators: this.#operators })
  }

  #fillingOf(channel: ChannelId): StreamElement<unknown>[] {
    let known = this.#inFlight.get(channel)
    if (known === undefined) {
      known = { ...this.#placeOf(channel), generation: this.#generations?.delivered[channel], elements: [] }
      this.#inFlight.set(channel, known)
    }
    return known.elements
  }

  #placeOf(channel: ChannelId): Pick<ChannelData, 'input' | 'from'> {
    const { input, from } = this.#channels[channel] as InputChannel
    return { input, from }
  }
}

interface Filling extends ChannelData {
  readonly elements: StreamElement<unknown>[]
}
