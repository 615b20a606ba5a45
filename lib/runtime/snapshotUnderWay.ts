import type { Observable } from 'rxjs'
import type { AlignmentMetrics } from '../alignment/events.ts'
import type { ReceivingHalf } from '../channel/channel.ts'
import type { Captured } from '../channel/gate.ts'
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

/** A snapshot whose in-flight data is not yet whole. */
export class SnapshotUnderWay {
  readonly checkpoint: CheckpointId
  /** Once all barriers have come. */
  metrics: AlignmentMetrics | undefined
  readonly #operators: readonly CapturedOperator[]
  readonly #durable: readonly Observable<unknown>[]
  readonly #syncMs: number
  #outputs: readonly OutputData[] = []
  readonly #inFlight = new Map<number, { input: number; from: number; elements: StreamElement<unknown>[] }>()

  constructor(
    checkpoint: CheckpointId,
    operators: readonly CapturedOperator[],
    durable: readonly Observable<unknown>[],
    syncMs: number,
  ) {
    this.checkpoint = checkpoint
    this.#operators = operators
    this.#durable = durable
    this.#syncMs = syncMs
  }

  capture({ checkpoint, channel, elements }: Captured<unknown>, channels: readonly InputChannel[]): void {
    if (checkpoint !== this.checkpoint) return
    const { input, from } = channels[channel] as InputChannel
    const known = this.#inFlight.get(channel) ?? { input, from, elements: [] }
    this.#inFlight.set(channel, known)
    known.elements.push(...elements)
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
      inFlight: [...this.#inFlight.values()] satisfies ChannelData[],
      outputs: this.#outputs,
      durable: this.#durable,
      times: { ...metrics, syncMs: this.#syncMs },
    }
  }

  release(): void {
    releaseSnapshot({ operators: this.#operators })
  }
}
