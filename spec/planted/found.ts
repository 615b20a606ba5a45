/** What found a fault, as a row of docs/planted-faults.md says. */
export type Found =
  | { readonly kind: 'simulation'; readonly run: number }
  | { readonly kind: 'spec'; readonly spec: string; readonly claim: string }

/** The rows of the table, by what is planted. */
export const foundLast = (page: string): ReadonlyMap<string, Found> =>
  new Map(
    Array.from(page.matchAll(row), ([, what, run, spec, how]) => [
      what as string,
      spec === undefined ? { kind: 'simulation', run: Number(run) } : { kind: 'spec', spec, claim: how as string },
    ]),
  )

const row = /^\| ([^|]+) \| (?:simulation, run (\d+)|(spec\/\S+)) \| (.*) \|$/gm
