import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs'
import { Line } from '../line.ts'

/** A task as the executor sees it. */
export interface Member {
  /** Does work of about 2 ms, if there is any. */
  turn(): void
  /** Another turn would do something. */
  readonly hasWork: boolean
  /** Among it an unaligned barrier to take. */
  readonly hasUrgentWork: boolean
  /** Set by the executor: it stands among the ready ones, and among the urgent ones. */
  queued: boolean
  urgent: boolean
}

/** Something partly filled that must not wait for more than `flushMs`. */
export interface Flushable {
  flush(): void
}

export interface ExecutorOptions {
  /** Monotonic, in ms, with fractions where the host has them. */
  readonly clock: () => number
  /** Runs a slice as a macrotask of its own, so that the host's timers and I/O get their turn between two. */
  readonly nextSlice: (slice: () => void) => void
  readonly scheduler: SchedulerLike
  readonly sliceMs: number
  /** Turns in a slice at the most: what ends a slice under a clock that stands still. */
  readonly sliceTurnsMax: number
  readonly flushMs: number
  /** Which of so many tasks is next: first come the urgent ones, then the ready ones, each longest waiting first. */
  readonly choose: (tasks: number, urgent: number) => number
  /** There is nothing to do, and nothing partly filled. */
  readonly onIdle: () => void
}

/**
 * Gives tasks their turns, in slices of a few ms, on the one thread there is.
 *
 * Tasks with an unaligned barrier to take come first, unless the choice is another. Background work (encoding) gets
 * what time tasks leave, and at least a share of `backgroundShare`. What is partly filled is flushed when there is nothing
 * else to do, and at the latest after `flushMs`. With nothing to do no slice is scheduled.
 */
export class Executor {
  readonly background: SchedulerLike
  readonly #options: ExecutorOptions
  readonly #ready = new Line<Member>()
  readonly #urgent = new Line<Member>()
  readonly #background: (() => void)[] = []
  readonly #partial = new Map<Flushable, number>()
  #backgroundMs = 0
  #taskMs = 0
  #scheduled = false
  #stopped = false

  constructor(options: ExecutorOptions) {
    this.#options = options
    this.background = new BackgroundScheduler(options.scheduler, (work, goesOn) => {
      if (goesOn) this.#background.unshift(work)
      else this.#background.push(work)
      this.#schedule()
    })
  }

  /** The task may have something to do. */
  wake(member: Member): void {
    if (member.queued) return
    member.queued = true
    this.#ready.push(member)
    this.#schedule()
  }

  /** The task has an unaligned barrier to take. */
  wakeFirst(member: Member): void {
    if (member.urgent) return
    member.urgent = true
    this.#urgent.push(member)
    this.#schedule()
  }

  flushLater(partial: Flushable): void {
    if (!this.#partial.has(partial)) this.#partial.set(partial, this.#options.clock() + this.#options.flushMs)
    this.#schedule()
  }

  /** It is no more: nothing of it is sent. */
  forget(partial: Flushable): void {
    this.#partial.delete(partial)
  }

  stop(): void {
    this.#stopped = true
    this.#ready.clear()
    this.#urgent.clear()
    this.#background.length = 0
    this.#partial.clear()
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return
    this.#scheduled = true
    this.#options.nextSlice(() => {
      this.#scheduled = false
      this.#slice()
    })
  }

  #slice(): void {
    const { clock, sliceMs, sliceTurnsMax } = this.#options
    const endsMs = clock() + sliceMs
    this.#flushOverdue()
    for (let turns = 0; turns < sliceTurnsMax && !this.#stopped; turns++) {
      if (!this.#oneTurn()) return this.#idle()
      if (clock() >= endsMs) break
    }
    if (!this.#stopped) this.#schedule()
  }

  #oneTurn(): boolean {
    const member = this.#takeNext()
    if (member === undefined) return this.#oneOfBackground()
    const { clock } = this.#options
    const begunMs = clock()
    member.turn()
    this.#taskMs += clock() - begunMs
    if (member.hasUrgentWork) this.wakeFirst(member)
    else if (member.hasWork) this.wake(member)
    return true
  }

  #takeNext(): Member | undefined {
    const urgent = this.#urgent.length
    if (urgent === 0 && this.#backgroundIsDue()) return undefined
    const tasks = urgent + this.#ready.length
    if (tasks === 0) return undefined
    const chosen = this.#options.choose(tasks, urgent)
    if (chosen < urgent) {
      const member = this.#urgent.take(chosen)
      member.urgent = false
      return member
    }
    const member = this.#ready.take(chosen - urgent)
    member.queued = false
    return member
  }

  #backgroundIsDue(): boolean {
    if (this.#background.length === 0) return false
    return this.#ready.length === 0 || this.#backgroundMs <= backgroundShare * (this.#taskMs + this.#backgroundMs)
  }

  #oneOfBackground(): boolean {
    const work = this.#background.shift()
    if (work === undefined) return false
    const { clock } = this.#options
    const begunMs = clock()
    work()
    this.#backgroundMs += clock() - begunMs
    if (this.#background.length === 0) {
      this.#backgroundMs = 0
      this.#taskMs = 0
    }
    return true
  }

  #flushOverdue(): void {
    if (this.#partial.size === 0) return
    const nowMs = this.#options.clock()
    for (const [partial, dueMs] of this.#partial) {
      if (dueMs > nowMs) return
      this.#partial.delete(partial)
      partial.flush()
    }
  }

  #idle(): void {
    for (const partial of this.#partial.keys()) {
      this.#partial.delete(partial)
      partial.flush()
    }
    if (!this.#scheduled && !this.#stopped) this.#options.onIdle()
  }
}

/** Of the time, while tasks have work too: with what is kept for open captures, updates go on at 70 % of their pace or more. */
const backgroundShare = 0.23

/**
 * Work that is done in pieces beside the tasks: each action is one piece. One that schedules itself again comes before those
 * that have not begun, so that a snapshot is being stored while the next is encoded. Delays are the job's scheduler's.
 */
class BackgroundScheduler implements SchedulerLike {
  readonly #scheduler: SchedulerLike
  readonly #enqueue: (work: () => void, goesOn: boolean) => void

  constructor(scheduler: SchedulerLike, enqueue: (work: () => void, goesOn: boolean) => void) {
    this.#scheduler = scheduler
    this.#enqueue = enqueue
  }

  now(): number {
    return this.#scheduler.now()
  }

  schedule<T>(work: (this: SchedulerAction<T>, state: T) => void, delayMs = 0, state?: T): Subscription {
    const action = new Subscription() as Subscription & SchedulerAction<T>
    let begun = false
    const enqueue = (next?: T) =>
      this.#enqueue(() => {
        begun = true
        if (!action.closed) work.call(action, next as T)
      }, begun)
    action.schedule = (next?: T, nextDelayMs = 0) => {
      if (nextDelayMs > 0) action.add(this.#scheduler.schedule(() => enqueue(next), nextDelayMs))
      else enqueue(next)
      return action
    }
    return action.schedule(state, delayMs) as Subscription
  }
}
