import type { Observable } from 'rxjs'
import type { AlignmentMetrics } from '../alignment/events.ts'
import type { CaptureHold } from '../channel/captureBudget.ts'
import type { Channel } from '../channel/channel.ts'
import type { Captured } from '../channel/gate.ts'
import type { CoordinateEvent } from '../coordination/events.ts'
import { type CheckpointId, countBuffers, type StreamElement } from '../element.ts'
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
  readonly #begun: Begun
  readonly #inFlight = new Map<number, { input: number; from: number; elements: StreamElement<unknown>[] }>()

  constructor(begun: Begun) {
    this.#begun = begun
  }

  capture({ checkpoint, channel, elements }: Captured<unknown>, channels: readonly InputChannel[]): void {
    const { buffers } = this.#begun
    if (checkpoint !== this.#begun.checkpoint) return
    buffers.add(countBuffers(elements))
    if (buffers.refused) return this.#inFlight.clear()
    const { input, from } = channels[channel] as InputChannel
    const known = this.#inFlight.get(channel) ?? { input, from, elements: [] }
    this.#inFlight.set(channel, known)
    known.elements.push(...elements)
  }

  /** Declined if more was in flight than snapshots may hold: it cannot be whole. */
  finished(task: TaskId, metrics: AlignmentMetrics): TaskSnapshot | Extract<CoordinateEvent, { kind: 'declined' }> {
    const { checkpoint, operators, durable, syncMs, buffers } = this.#begun
    if (buffers.refused) {
      this.release()
      const reason = `more is in flight than the ${buffers.buffersMax} buffers that a job's snapshots may hold`
      return { kind: 'declined', task, ended: false, checkpoint, reason }
    }
    return {
      kind: 'snapshot',
      task,
      ended: false,
      checkpoint,
      operators,
      inFlight: [...this.#inFlight.values()] satisfies ChannelData[],
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
