import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs'

interface Timer {
  readonly dueMs: number
  readonly run: () => void
}

/** A clock that a script moves. Timers run when they are told to, in the order in which they are due. */
export class ScriptedClock implements SchedulerLike {
  #nowMs = 1_000_000
  #timers: readonly Timer[] = []

  now(): number {
    return this.#nowMs
  }

  /** Without a repeat: what runs may schedule anew. */
  schedule<S>(work: (this: SchedulerAction<S>, state: S) => void, delayMs = 0, state?: S): Subscription {
    const timer = { dueMs: this.#nowMs + delayMs, run: () => work.call(undefined as never, state as S) }
    this.#timers = [...this.#timers, timer].sort((a, b) => a.dueMs - b.dueMs)
    return new Subscription(() => {
      this.#timers = this.#timers.filter(other => other !== timer)
    })
  }

  /** Time passes, in which no timer can run. */
  pass(durationMs: number): void {
    this.#nowMs += durationMs
  }

  runDue(): void {
    for (let next = this.#due; next !== undefined; next = this.#due) {
      const timer = next
      this.#timers = this.#timers.filter(other => other !== timer)
      timer.run()
    }
  }

  get #due(): Timer | undefined {
    const [first] = this.#timers
    return first !== undefined && first.dueMs <= this.#nowMs ? first : undefined
  }
}
