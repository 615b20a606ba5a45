import { type SchedulerLike, Subscription } from 'rxjs'
import type { Requested, Schedule } from '../coordination/events.ts'
import type { Timetable, TriggerRequest } from '../coordination/timetable.ts'
import type { Alignment } from '../element.ts'

export interface TriggersOptions {
  readonly scheduler: SchedulerLike
  /** Before it the interval triggers nothing. */
  readonly pausedUntilMs: () => number
  readonly request: (requested: Requested) => void
  /** Throws if the job cannot take a checkpoint of this alignment. */
  readonly checkAlignment: (alignment: Alignment) => void
  /** The schedule's Observable has failed, or has asked for what cannot be. */
  readonly failed: (error: unknown) => void
}

/**
 * The timers of a schedule: its interval, and its timetable or what else asks for checkpoints. Another interval counts from the
 * interval's last trigger.
 */
export class Triggers {
  readonly #options: TriggersOptions
  #schedule: Schedule
  #inBacklog = false
  #stopped = false
  #lastMs: number
  #interval = Subscription.EMPTY
  #asking = Subscription.EMPTY

  constructor(schedule: Schedule, options: TriggersOptions) {
    this.#options = options
    this.#schedule = schedule
    this.#lastMs = options.scheduler.now()
    this.#scheduleInterval()
    this.#ask()
  }

  become(schedule: Schedule): void {
    const isOther = schedule.schedule !== this.#schedule.schedule
    this.#schedule = schedule
    if (this.#stopped) return
    this.#scheduleInterval()
    if (isOther) this.#ask()
  }

  /** Some source works off what had come before, or none does any more. */
  backlog(is: boolean): void {
    if (is === this.#inBacklog) return
    this.#inBacklog = is
    if (!this.#stopped) this.#scheduleInterval()
  }

  stop(): void {
    this.#stopped = true
    this.#interval.unsubscribe()
    this.#asking.unsubscribe()
  }

  #scheduleInterval(): void {
    this.#interval.unsubscribe()
    const { everyMs, backlogEveryMs = everyMs } = this.#schedule
    const intervalMs = this.#inBacklog ? backlogEveryMs : everyMs
    if (intervalMs === undefined || intervalMs === Number.POSITIVE_INFINITY) return
    this.#interval = this.#at(this.#lastMs + intervalMs, () => this.#intervalOver())
  }

  #intervalOver(): void {
    const { scheduler, pausedUntilMs, request } = this.#options
    const untilMs = pausedUntilMs()
    if (untilMs > scheduler.now()) {
      this.#interval = this.#at(untilMs, () => this.#intervalOver())
      return
    }
    this.#lastMs = scheduler.now()
    request({ kind: 'requested', alignment: this.#schedule.alignment })
    if (!this.#stopped) this.#scheduleInterval()
  }

  #ask(): void {
    this.#asking.unsubscribe()
    this.#asking = Subscription.EMPTY
    const { schedule } = this.#schedule
    if (schedule === undefined) return
    if ('kind' in schedule) return this.#ticks(schedule, this.#options.scheduler.now())
    const asking = new Subscription()
    this.#asking = asking
    asking.add(
      schedule.subscribe({
        next: request => this.#asked(request),
        error: error => this.#options.failed(error),
      }),
    )
  }

  #asked(request: TriggerRequest): void {
    try {
      const { alignment = this.#schedule.alignment } = request
      this.#options.checkAlignment(alignment)
      this.#options.request({ kind: 'requested', alignment, timed: true })
    } catch (error) {
      this.#asking.unsubscribe()
      this.#options.failed(error)
    }
  }

  #ticks(timetable: Timetable, afterMs: number): void {
    const nextMs = timetable.next(afterMs)
    if (nextMs === undefined) return
    this.#asking = this.#at(nextMs, () => {
      this.#options.request({ kind: 'requested', alignment: this.#schedule.alignment, timed: true })
      // What the host has slept through is one trigger.
      const nowMs = this.#options.scheduler.now()
      if (!this.#stopped && this.#schedule.schedule === timetable) this.#ticks(timetable, Math.max(nextMs, nowMs))
    })
  }

  /** Timers fire a little early at times, and take no more than 24 days. */
  #at(atMs: number, act: () => void): Subscription {
    const { scheduler } = this.#options
    return scheduler.schedule(
      function () {
        const leftMs = atMs - scheduler.now()
        if (leftMs <= 0) act()
        else this.schedule(undefined, Math.min(leftMs, longestMs))
      },
      Math.min(Math.max(0, atMs - scheduler.now()), longestMs),
    )
  }
}

const longestMs = 2 ** 30
