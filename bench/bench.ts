/** One bench: what `npm run bench -- NAME` measures. */
export interface Bench<P extends string = string, F extends Figures = Figures> {
  readonly about: string
  /** Its options beside --json, as the usage text shows them. */
  readonly options?: string
  /** Pieces that each run in a fresh process. They print to stderr only. */
  readonly parts: Readonly<Record<P, (options: Options) => Promise<any>>>
  /** Runs the parts, prints what a reader wants to know, and gives the figures of the JSON line. */
  readonly measure: (part: (name: P) => Promise<any>, options: Options) => Promise<F>
}

export interface Figures {
  readonly [name: string]: number | Figures
}

export type Options = ReadonlyMap<string, string>
