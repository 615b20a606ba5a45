/**
 * A run as text: a lane for each task, the store, each sink and the faults; a column a moment, in rows of `columnsMax`.
 *
 *   tasks   `.` a turn, a digit: its snapshot of that checkpoint (by its last digit) begins, `)` is whole, `|` it has ended
 *   loop    `T` trigger, `C` commit, `N` notify, `A` abort, `S` tasks are stopped, `R` and restarted, `X` the job fails
 *   store   `p` put, `a` append, `d` delete takes effect
 *   sinks   `P` publication takes effect
 *   faults  the first letter of the kind, `!` what must not be
 */
export class RunPicture {
  readonly #marks: { readonly atMs: number; readonly lane: string; readonly mark: string }[] = []

  note(atMs: number, lane: string, mark: string): void {
    this.#marks.push({ atMs, lane, mark })
  }

  /** The last `columnsMax` moments of it. */
  text({ columnsMax }: { readonly columnsMax: number }): string {
    const columns: { readonly atMs: number; readonly marks: Map<string, string> }[] = []
    for (const { atMs, lane, mark } of this.#marks) {
      const last = columns.at(-1)
      if (last !== undefined && last.atMs === atMs && !last.marks.has(lane)) last.marks.set(lane, mark)
      else columns.push({ atMs, marks: new Map([[lane, mark]]) })
    }
    const shown = columns.slice(-columnsMax)
    const lanes = [...new Set(this.#marks.map(({ lane }) => lane))].sort(inOrder)
    const width = Math.max(0, ...lanes.map(lane => lane.length))
    const rows: string[] = []
    if (shown.length < columns.length) rows.push(`(${columns.length - shown.length} moments before)`)
    for (let from = 0; from < shown.length; from += columnsInRow) {
      const some = shown.slice(from, from + columnsInRow)
      rows.push(`${'ms'.padEnd(width)}  ${(some[0] as { atMs: number }).atMs.toFixed(1)}`)
      for (const lane of lanes) {
        const marks = some.map(({ marks }) => marks.get(lane) ?? ' ').join('')
        if (marks.trim() !== '') rows.push(`${lane.padEnd(width)}  ${marks.trimEnd()}`)
      }
      rows.push('')
    }
    return rows.join('\n')
  }

  /** All of it, moment by moment: the same for the same run. */
  get log(): string {
    return this.#marks.map(({ atMs, lane, mark }) => `${atMs} ${lane} ${mark}`).join('\n')
  }
}

const columnsInRow = 100

/** Faults first, the loop, then tasks in the order of their stages, the store, the sinks. */
const inOrder = (a: string, b: string): number => rank(a) - rank(b) || a.localeCompare(b, 'en', { numeric: true })

const rank = (lane: string): number => {
  if (lane === 'faults') return 0
  if (lane === 'loop') return 1
  if (lane === 'store') return 3
  return lane.startsWith('sink ') ? 4 : 2
}
