import type { Outbox } from '../channel/channel.ts'
import type { CheckpointId, Recovered, StreamElement } from '../element.ts'
import type { OutputData, TaskId } from '../snapshot/snapshot.ts'

/** What waits in the sending half of an output channel, and whose input it is. */
export interface OutputChannel {
  readonly outbox: Outbox<unknown>
  readonly to: TaskId
  readonly input: number
  readonly from: number
}

/** What waits in a task's sending halves: none where both halves are one queue. */
export class Outboxes {
  readonly #channels: readonly OutputChannel[]

  constructor(channels: readonly OutputChannel[], onLeft: () => void) {
    this.#channels = channels
    for (const { outbox } of channels) outbox.onLeft = onLeft
  }

  /** In any of them. */
  holds(what: CheckpointId | 'end'): boolean {
    return this.#channels.some(({ outbox }) => outbox.holds(what))
  }

  /**
   * What the checkpoint's barrier has passed, or will if it is made to go at once. `generation`: of recovered data, that of what
   * is sent now.
   */
  capture(checkpoint: CheckpointId, generation: number | undefined): readonly OutputData[] {
    return this.#channels
      .map(({ outbox, ...channel }) => ({ ...channel, elements: outbox.capture(checkpoint) }))
      .filter(({ elements }) => elements.length > 0)
      .map(data => ({ ...data, generation: firstMarker(data.elements)?.generation ?? generation }))
  }

  prioritize(checkpoint: CheckpointId): void {
    for (const { outbox } of this.#channels) outbox.prioritize(checkpoint)
  }
}

/** What comes before a generation's marker is of that generation. */
const firstMarker = (elements: readonly StreamElement<unknown>[]): Recovered | undefined =>
  elements.find(element => element.kind === 'recovered')
