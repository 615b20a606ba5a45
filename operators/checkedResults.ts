import { SpillwayError, shown } from '../lib/index.ts'

/**
 * All results of a projection that can begin anywhere, the second of which it is asked for once more, as a restore would: one
 * that ignores `from` is found at the first record with two results that differ.
 * @throws NOT_DETERMINISTIC
 */
export function* checkedResults<A, B>(
  name: string,
  project: (record: A, from: number) => Iterable<B>,
  record: A,
): Generator<B, void> {
  let number = 0
  for (const result of project(record, 0)) {
    if (number === 1) {
      const [expected, given] = [shown(result), shownFirst(project(record, 1))]
      if (given !== expected) throw ignoresFrom(name, { record, expected, given })
    }
    yield result
    number++
  }
}

const shownFirst = (results: Iterable<unknown>): string => {
  for (const result of results) return shown(result)
  return 'none'
}

const ignoresFrom = (
  place: string,
  of: { readonly record: unknown; readonly expected: string; readonly given: string },
) =>
  new SpillwayError('NOT_DETERMINISTIC', {
    place,
    problem: `result 1 of record ${shown(of.record)} is ${of.expected}, but asked for results from 1 its projection begins with ${of.given}.`,
    remedy:
      'Let the projection begin at result `from`, or leave out its second parameter: then a restore skips results.',
  })
