import type { Observable } from 'rxjs'
import type { AlignmentMetrics } from '../alignment/events.ts'
import type { Channel } from '../channel/channel.ts'
import type { Captured } from '../channel/gate.ts'
import type { Generations } from '../channel/generations.ts'
import type { CheckpointId, StreamElement } from '../element.ts'
import { releaseSnapshot } from '../snapshot/format.ts'
import type { ChannelData, TaskId, TaskSnapshot } from '../snapshot/snapshot.ts'
import type { CapturedOperator } from '../state/operatorState.ts'

/** An input channel of a task, and where it comes from. */
export interface InputChannel {
  readonly channel: Channel<unknown>
  /** Number of the stage's input. */
  readonly input: number
  /** The producer's number in its stage. */
  readonly from: number
}

/** How far the task was in the generations of recovered data when the snapshot was begun. */
export interface Recovering {
  readonly generations: Generations | undefined
  /** What was still to be taken in its generation. */
  readonly parked: readonly ChannelData[]
}

/** A snapshot whose in-flight data is not yet whole. */
export class SnapshotUnderWay {
  readonly #checkpoint: CheckpointId
  readonly #operators: readonly CapturedOperator[]
  readonly #durable: readonly Observable<unknown>[]
  readonly #syncMs: number
  readonly #recovering: Recovering
  readonly #inFlight = new Map<number, ChannelData & { readonly elements: StreamElement<unknown>[] }>()

  constructor(
    checkpoint: CheckpointId,
    of: {
      readonly operators: readonly CapturedOperator[]
      readonly durable: readonly Observable<unknown>[]
      readonly syncMs: number
      readonly recovering: Recovering
    },
  ) {
    this.#checkpoint = checkpoint
    this.#operators = of.operators
    this.#durable = of.durable
    this.#syncMs = of.syncMs
    this.#recovering = of.recovering
  }

  capture({ checkpoint, channel, elements }: Captured<unknown>, channels: readonly InputChannel[]): void {
    if (checkpoint !== this.#checkpoint) return
    const { input, from } = channels[channel] as InputChannel
    const generation = this.#recovering.generations?.delivered[channel]
    const known = this.#inFlight.get(channel) ?? { input, from, generation, elements: [] }
    this.#inFlight.set(channel, known)
    known.elements.push(...elements)
  }

  finished(task: TaskId, metrics: AlignmentMetrics): TaskSnapshot {
    return {
      kind: 'snapshot',
      task,
      ended: false,
      checkpoint: this.#checkpoint,
      operators: this.#operators,
      inFlight: [...this.#inFlight.values(), ...this.#recovering.parked],
      durable: this.#durable,
      times: { ...metrics, syncMs: this.#syncMs },
    }
  }

  release(): void {
    releaseSnapshot({ operators: this.#operators })
  }
}
