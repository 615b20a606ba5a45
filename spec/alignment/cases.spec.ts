import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { alignmentCase } from '../conformance/alignment.ts'

interface Named {
  readonly id: string
  readonly name: string
}

/** Described in the README of the cases. */
const casesIn = (file: string): readonly Named[] =>
  JSON.parse(readFileSync(new URL(`../conformance/cases/${file}`, import.meta.url), 'utf8')).cases

describe('conformance of alignment', () => {
  test.each(['alignment.json', 'alignment-own.json'].flatMap(casesIn).map(of => [of.id, of.name, of] as const))(
    '%s: %s',
    (_, __, of) => expect(alignmentCase(of)()).toEqual([]),
  )

  test.each(['0 <1', 'poll x', '0 <1 timeout>', 'a 1', 'advance', '0'])('the step `%s` cannot be parsed', step => {
    expect(() => alignmentCase({ channels: 1, steps: [{ do: step }] })).toThrow(/cannot be parsed/)
  })
})
