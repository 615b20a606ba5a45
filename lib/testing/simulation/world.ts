import { type Subscription, VirtualTimeScheduler } from 'rxjs'
import { Disk } from './disk.ts'
import type { FaultPlan } from './faults.ts'
import { Outside } from './outside.ts'
import type { Random } from './random.ts'
import { RunPicture } from './runPicture.ts'

/** What outlives the processes of a simulated job: time, the store's medium, what is behind the sinks, and what is seen. */
export class World {
  readonly random: Random
  readonly faults: FaultPlan
  readonly disk: Disk
  readonly picture = new RunPicture()
  /** The first of what must not be. */
  violation: string | undefined
  /** Operations of dead processes, or given up, that have taken effect all the same. */
  unheard = 0
  readonly #outsides = new Map<string, Outside>()
  readonly #virtual = new VirtualTimeScheduler()
  readonly #slowness: number

  constructor(random: Random, faults: FaultPlan, options: { readonly latencyMs: number; readonly slowness: number }) {
    this.random = random
    this.faults = faults
    this.disk = new Disk(random.fork(), options)
    this.#slowness = options.slowness
  }

  get nowMs(): number {
    return this.#virtual.frame
  }

  schedule(work: () => void, delayMs: number): Subscription {
    return this.#virtual.schedule(work, delayMs)
  }

  /** Until nothing is left to do, or something must not be. */
  run(): void {
    this.#virtual.flush()
  }

  outside(name: string): Outside {
    let outside = this.#outsides.get(name)
    if (outside === undefined) {
      outside = new Outside(name, this.random.fork(), { slowness: this.#slowness })
      this.#outsides.set(name, outside)
    }
    return outside
  }

  get outsides(): Iterable<Outside> {
    return this.#outsides.values()
  }

  /** Nothing goes on after the first. */
  violated(what: string): void {
    if (this.violation !== undefined) return
    this.violation = what
    this.note('faults', '!')
    for (const action of [...this.#virtual.actions]) action.unsubscribe()
  }

  tookEffectUnheard(): void {
    this.unheard++
  }

  note(lane: string, mark: string): void {
    this.picture.note(this.nowMs, lane, mark)
  }
}
