/** A record of a generated job: it carries what the oracles ask about it. */
export interface Rec {
  /** Of its kind the only one: where it comes from, and all that has been done to it. */
  readonly id: string
  /** The split that it was read from; '' if it is not of one record alone. */
  readonly split: string
  readonly n: number
  readonly key: number
  /** Event time. */
  readonly timeMs: number
  /** Its place in its split, and among the results of each record that had several. */
  readonly place: readonly number[]
  /** The stages and keys that it has passed: those of one split and one trail keep their order. undefined: it has lost it. */
  readonly trail: string | undefined
}

/** A record with its event time and lateness note as an operator sees them; -Infinity: none. */
export interface Timed {
  readonly of: Rec
  readonly timeMs: number
  readonly noteMs: number
}

/** A record that is not of one record alone. */
export const made = (id: string, { n, key, timeMs }: { n: number; key: number; timeMs: number }): Rec => ({
  id,
  split: '',
  n,
  key,
  timeMs,
  place: [],
  trail: undefined,
})

/** One of several results of a record. */
export const nth = (of: Rec, i: number): Rec => ({ ...of, id: `${of.id}.${i}`, place: [...of.place, i] })
