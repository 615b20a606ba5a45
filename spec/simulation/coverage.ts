import type { Simulation } from 'spillway/testing'
import { faultKinds, meetings } from '../../lib/testing/simulation/faults.ts'
import { phases } from '../../lib/testing/simulation/phases.ts'

/** How often each kind of fault has met each phase of the protocol. */
export class Coverage {
  readonly #met = new Map<string, number>()

  add({ met }: Simulation): void {
    for (const { kind, phase } of met) this.#met.set(`${kind} ${phase}`, this.of({ kind, phase }) + 1)
  }

  of({ kind, phase }: { readonly kind: string; readonly phase: string }): number {
    return this.#met.get(`${kind} ${phase}`) ?? 0
  }

  /** Pairs that can be met and have been met less often. */
  below(least: number): readonly string[] {
    return meetings.filter(pair => this.of(pair) < least).map(({ kind, phase }) => `${kind} ${phase}`)
  }

  /** A row a kind; `-` where they cannot meet. */
  get table(): string {
    const width = Math.max(...Object.keys(faultKinds).map(kind => kind.length))
    const row = (kind: string, cells: readonly string[]) =>
      `${kind.padEnd(width)}${cells.map(cell => cell.padStart(11)).join('')}`
    const rows = Object.entries(faultKinds).map(([kind, met]) =>
      row(
        kind,
        phases.map(phase => ((met as readonly string[]).includes(phase) ? String(this.of({ kind, phase })) : '-')),
      ),
    )
    return [row('', phases), ...rows].join('\n')
  }
}
