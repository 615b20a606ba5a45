/** What a case expects and does not get. */
export interface Failure {
  readonly step: string
  readonly expected: string
  readonly got: string
}
