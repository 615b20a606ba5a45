import { merge, Subscription } from 'rxjs'
import type { CheckpointId } from '../element.ts'
import type { SinkOutput } from './sinkOutput.ts'

export interface PublicationsOptions {
  readonly sinks: readonly SinkOutput[]
  readonly onPublished: (checkpoint: CheckpointId) => void
  readonly onError: (error: unknown) => void
}

/** A task's sinks publish what checkpoints contain, one checkpoint after the other. */
export class Publications {
  readonly #options: PublicationsOptions
  /** The first is under way. */
  readonly #waiting: CheckpointId[] = []
  readonly #running = new Subscription()

  constructor(options: PublicationsOptions) {
    this.#options = options
  }

  publish(checkpoint: CheckpointId): void {
    if (this.#waiting.push(checkpoint) === 1) this.#next(checkpoint)
  }

  stop(): void {
    this.#running.unsubscribe()
  }

  #next(checkpoint: CheckpointId): void {
    const { sinks, onPublished, onError } = this.#options
    const published = () => {
      this.#waiting.shift()
      onPublished(checkpoint)
      const [next] = this.#waiting
      if (next !== undefined) this.#next(next)
    }
    const each = sinks.map(sink => sink.published(checkpoint))
    this.#running.add(merge(...each).subscribe({ error: onError, complete: published }))
  }
}
