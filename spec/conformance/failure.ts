/** What a case expects and does not get. */
export interface Failure {
  readonly step: string
  readonly expected: string
  readonly got: string
}

/** Reads a case, or throws an Error where it cannot be parsed, and gives what runs it. What that throws is a failure. */
export type Suite = (of: unknown) => () => readonly Failure[]

/** None if nothing is expected, or what is expected has come. */
export const difference = (step: string, expected: unknown, got: unknown): readonly Failure[] =>
  expected === undefined || expected === got ? [] : [{ step, expected: String(expected), got: String(got) }]
