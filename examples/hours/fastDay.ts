/** A day that passes in seconds: a job has a clock of its own, which stands still while a checkpoint is being taken. */
import { setImmediate as macrotask } from 'node:timers/promises'
import { filter, firstValueFrom, VirtualTimeScheduler } from 'rxjs'
import type { Job } from 'spillway'
import type { Environment } from 'spillway/testing'

export class FastDay {
  readonly scheduler = new VirtualTimeScheduler(undefined, 0)
  /** Taken, and not yet reported. */
  #checkpoints = 0

  constructor(beginsMs: number) {
    this.scheduler.frame = beginsMs
  }

  /** For a job that runs on this day. */
  environment(): Environment {
    this.#checkpoints = 0
    return {
      scheduler: this.scheduler,
      clock: () => performance.now(),
      nextSlice: slice => void setImmediate(slice),
      choose: () => 0,
      sliceTurnsMax: Number.POSITIVE_INFINITY,
      observe: ({ kind }) => {
        if (kind === 'trigger') this.#checkpoints += 1
        if (kind === 'report') this.#checkpoints -= 1
      },
    }
  }

  /** A minute at a time, until it is so late, or the job is over. */
  async passes(job: Job, untilMs: number): Promise<void> {
    await firstValueFrom(job.status$.pipe(filter(({ kind }) => kind !== 'starting')))
    let isOver = false
    const over = () => {
      isOver = true
    }
    job.done.then(over, over)
    while (!isOver && this.scheduler.frame < untilMs) {
      const untilNextMs = this.scheduler.frame + 60_000
      this.scheduler.maxFrames = untilNextMs
      this.scheduler.flush()
      this.scheduler.frame = untilNextMs
      do await macrotask()
      while (!isOver && (this.#checkpoints > 0 || job.sinks().some(({ unpublished }) => unpublished > 0)))
    }
  }
}
