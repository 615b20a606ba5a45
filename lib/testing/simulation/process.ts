import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs'
import { splitChannel } from '../../channel/splitChannel.ts'
import { messageOf } from '../../error.ts'
import type { Pipeline } from '../../graph/stream.ts'
import { absurd } from '../../invariant.ts'
import type { RunOptions } from '../../runtime/options.ts'
import { type Environment, type Happening, type JobStatus, runIn } from '../../runtime/run.ts'
import type { CapturedOperator } from '../../state/operatorState.ts'
import type { Conditions } from './conditions.ts'
import { type FaultKind, InjectedFault, saysBug } from './faults.ts'
import { PhaseTracker } from './phases.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** How a process has ended. */
export type ProcessEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'killed' }

/**
 * One simulated process that runs the job: has its own timers, dies as a whole, and leaves behind only what is in the world.
 */
export class Process {
  readonly world: World
  readonly scheduler: SchedulerLike
  readonly everyMs: number
  readonly timeoutMs: number
  alive = true
  /** How many times as long as others' its calls to the store take. */
  readonly storeDelay: number
  /** Faults that have struck it. */
  struck = 0
  /** Another process was alive at the same time. */
  accompanied = false
  checkpoints = 0
  /** Groups of tasks that have been started again. */
  restarts = 0
  readonly #phases = new PhaseTracker()
  readonly #timers = new Set<Subscription>()
  readonly #slices = new Set<Subscription>()
  readonly #open: string[] = []
  readonly #captured: CapturedOperator[] = []
  readonly #random: Random
  readonly #onEnd: (process: Process, end: ProcessEnd) => void
  readonly #onRival: () => void
  readonly #link: Conditions['link']
  readonly #unheardBefore: number
  #steps = 0
  #cpuMs = 0

  constructor(
    world: World,
    options: {
      readonly checkpoints: { readonly everyMs: number; readonly timeoutMs: number }
      readonly link: Conditions['link']
      readonly onEnd: (process: Process, end: ProcessEnd) => void
      readonly onRival: () => void
    },
  ) {
    this.world = world
    this.#unheardBefore = world.unheard
    this.everyMs = options.checkpoints.everyMs
    this.timeoutMs = options.checkpoints.timeoutMs
    this.#onEnd = options.onEnd
    this.#onRival = options.onRival
    this.#link = options.link
    this.#random = world.random.fork()
    this.storeDelay = this.#random.chance(0.2) ? 1 + 40 * this.#random.next() : 1
    this.scheduler = new ProcessScheduler(world, this)
  }

  start(pipelines: readonly Pipeline[], options: RunOptions): void {
    const job = runIn(this.#environment(), pipelines, options)
    job.done.catch(() => {})
    job.checkpoints$.subscribe(({ outcome, reason }) => {
      if (outcome === 'completed') this.checkpoints++
      if (reason !== undefined && saysBug(reason)) this.world.violated(reason)
    })
    job.status$.subscribe(status => this.#became(status))
  }

  /** Nothing that another process has done has come between. */
  get alone(): boolean {
    return !this.accompanied && this.world.unheard === this.#unheardBefore
  }

  /** Which of these faults strikes now, if any. */
  strikes<K extends FaultKind>(...kinds: readonly K[]): K | undefined {
    const struck = this.world.faults.strikes(this.#phases.phase, ...kinds)
    if (struck !== undefined) {
      this.struck++
      this.world.note('faults', struck.slice(0, 1))
    }
    return struck
  }

  opened(what: string): void {
    this.#open.push(what)
  }

  closed(what: string): void {
    this.#open.splice(this.#open.indexOf(what), 1)
  }

  /** Called before anything that the process does; false: it is dead. */
  steps(): boolean {
    if (!this.alive) return false
    if (++this.#steps > stepsMax) {
      this.world.violated(`STALLED: it has not ended after ${stepsMax} steps`)
      return false
    }
    const fault = this.strikes('crash', 'powerFailure', 'rival')
    switch (fault) {
      case undefined:
        return true
      case 'rival':
        this.#onRival()
        return true
      case 'powerFailure':
        this.world.disk.loseDeletions()
        return this.#die({ kind: 'killed' })
      case 'crash':
        return this.#die({ kind: 'killed' })
      default:
        return absurd(fault)
    }
  }

  /** Runs until `work` has run, or the returned subscription is closed. */
  after(delayMs: number, work: () => void): Subscription {
    return this.#scheduled(this.#timers, delayMs, work)
  }

  #scheduled(among: Set<Subscription>, delayMs: number, work: () => void): Subscription {
    const scheduled = this.world.schedule(() => {
      among.delete(scheduled)
      if (this.steps()) work()
    }, delayMs)
    among.add(scheduled)
    scheduled.add(() => among.delete(scheduled))
    return scheduled
  }

  #environment(): Environment {
    const [random, link, { scheduler }] = [this.#random, this.#link, this]
    return {
      scheduler,
      clock: () => {
        this.#cpuMs += random.next() / 20
        return this.world.nowMs + this.#cpuMs
      },
      nextSlice: slice => void this.#scheduled(this.#slices, random.next() / 20, slice),
      choose: (tasks, urgent) => random.below(urgent > 0 && random.chance(0.8) ? urgent : tasks),
      sliceTurnsMax: 1 + random.below(6),
      ...(link === false ? {} : { channel: <T>() => splitChannel<T>({ ...link, scheduler }) }),
      observe: happening => this.#happened(happening),
    }
  }

  #happened(happening: Happening): void {
    this.#phases.happened(happening)
    const { world } = this
    switch (happening.kind) {
      case 'turn':
        world.note(happening.task, '.')
        return this.#perhapsFail()
      case 'built':
        return this.#perhapsFail()
      case 'begun':
        world.note(happening.task, String(happening.checkpoint % 10))
        return this.#perhapsFail()
      case 'snapshot':
        this.#captured.push(...happening.operators)
        return world.note(happening.task, happening.ended ? '|' : ')')
      case 'trigger':
      case 'commit':
      case 'notify':
      case 'abort':
      case 'stop':
        return world.note('loop', happening.kind.slice(0, 1).toUpperCase())
      case 'restarted':
        this.restarts++
        return world.note('loop', 'R')
      case 'failJob':
        return world.note('loop', 'X')
    }
  }

  #perhapsFail(): void {
    if (this.strikes('taskFailure')) throw new InjectedFault('the task fails')
  }

  #became(status: JobStatus): void {
    switch (status.kind) {
      case 'starting':
        return
      case 'running':
        return this.#phases.runs()
      case 'done':
        return this.#ended({ kind: 'done' })
      case 'failed':
        return this.#ended({ kind: 'failed', error: status.error })
      case 'cancelled':
        return this.world.violated('the job has been cancelled, though nobody asked for it')
    }
  }

  /** By itself: it leaves nothing behind. */
  #ended(end: ProcessEnd): void {
    // Once what has ended it has returned.
    this.world.schedule(() => {
      const { world } = this
      if (!this.alive) return
      const how = end.kind === 'failed' ? `it failed with "${messageOf(end.error)}"` : 'it was done'
      if (this.#timers.size > 0) world.violated(`${this.#timers.size} timers are left after ${how}`)
      if (this.#open.length > 0) world.violated(`${this.#open.join(', ')} are not closed after ${how}`)
      const held = this.#captured.flatMap(({ tables }) => tables).filter(({ captured }) => !captured.released)
      if (end.kind === 'done' && held.length > 0) world.violated(`${held.length} captured tables are not released`)
      this.#die(end)
    }, 0)
  }

  #die(end: ProcessEnd): false {
    this.alive = false
    for (const scheduled of [...this.#timers, ...this.#slices]) scheduled.unsubscribe()
    this.#onEnd(this, end)
    return false
  }
}

/** Timers that die with their process. */
class ProcessScheduler implements SchedulerLike {
  readonly #world: World
  readonly #process: Process

  constructor(world: World, process: Process) {
    this.#world = world
    this.#process = process
  }

  now(): number {
    return this.#world.nowMs
  }

  schedule<T>(work: (this: SchedulerAction<T>, state: T) => void, delayMs = 0, state?: T): Subscription {
    const process = this.#process
    const action = new Subscription() as Subscription & SchedulerAction<T>
    action.schedule = (next?: T, nextDelayMs = 0) => {
      if (!action.closed) action.add(process.after(nextDelayMs, () => work.call(action, next as T)))
      return action
    }
    return action.schedule(state, delayMs)
  }
}

/** Far more than any job needs that is small enough for simulation, with all messages over its links. */
const stepsMax = 200_000
