import type { Observable } from 'rxjs'
import type { AlignmentMetrics } from '../alignment/events.ts'
import type { CaptureHold } from '../channel/captureBudget.ts'
import type { ReceivingHalf } from '../channel/channel.ts'
import type { Captured } from '../channel/gate.ts'
import type { CoordinateEvent } from '../coordination/events.ts'
import { type CheckpointId, countBuffers, type StreamElement } from '../element.ts'
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

interface Begun {
  readonly checkpoint: CheckpointId
  readonly operators: readonly CapturedOperator[]
  readonly durable: readonly Observable<unknown>[]
  readonly syncMs: number
  /** Counts the buffers captured. */
  readonly buffers: CaptureHold
}

/** A snapshot whose in-flight data is not yet whole. */
export class SnapshotUnderWay {
  /** Once all barriers have come. */
  metrics: AlignmentMetrics | undefined
  readonly #begun: Begun
  #outputs: readonly OutputData[] = []
  readonly #inFlight = new Map<number, { input: number; from: number; elements: StreamElement<unknown>[] }>()

  constructor(begun: Begun) {
    this.#begun = begun
  }

  get checkpoint(): CheckpointId {
    return this.#begun.checkpoint
  }

  capture({ checkpoint, channel, elements }: Captured<unknown>, channels: readonly InputChannel[]): void {
    if (checkpoint !== this.checkpoint || !this.#holds(elements)) return
    const { input, from } = channels[channel] as InputChannel
    const known = this.#inFlight.get(channel) ?? { input, from, elements: [] }
    this.#inFlight.set(channel, known)
    known.elements.push(...elements)
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
      this.#inFlight.clear()
      this.#outputs = []
    }
    return !buffers.refused
  }

  /** Declined if more was in flight than snapshots may hold: it cannot be whole. */
  finished(task: TaskId, metrics: AlignmentMetrics): TaskSnapshot | Extract<CoordinateEvent, { kind: 'declined' }> {
    const { checkpoint, operators, durable, syncMs, buffers } = this.#begun
    if (buffers.refused) {
      this.release()
      const reason = `more is in flight than the ${buffers.buffersMax} buffers that a job's snapshots may hold`
      return { kind: 'declined', task, ended: false, checkpoint, reason, cause: 'declined' }
    }
    return {
      kind: 'snapshot',
      task,
      ended: false,
      checkpoint,
      operators,
      inFlight: [...this.#inFlight.values()] satisfies ChannelData[],
      outputs: this.#outputs,
      captured: buffers,
      durable,
      times: { ...metrics, syncMs },
    }
  }

  release(): void {
    const { operators, buffers: captured } = this.#begun
    releaseSnapshot({ operators, captured })
  }
}
