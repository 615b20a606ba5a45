import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** The members of the union `ErrorCode`. */
const codes = codesIn(read('lib/error.ts').split('export type ErrorCode =')[1] ?? '', /^ {2}\| '([A-Z_]+)'$/gm)

interface Row {
  readonly code: string
  readonly cells: readonly string[]
}

const rows: readonly Row[] = Array.from(
  read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \|(.*)\|$/gm),
  ([, code, rest]) => ({
    code: code as string,
    cells: (rest as string).split(' | ').map(cell => cell.trim()),
  }),
)

const sources = ['lib', 'operators'].flatMap(folder =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => read(join(folder, name))),
)

/** Codes that nothing throws yet, each with the reason. */
const notThrown: Readonly<Record<string, string>> = {}

test('the table of docs/errors.md has each code once, in the order of lib/error.ts', () => {
  expect(codes.length).toBeGreaterThan(20)
  expect(rows.map(({ code }) => code)).toEqual(codes)
})

test.each(rows)('$code says when, what the runtime does, and the remedy', ({ cells }) => {
  expect(cells).toHaveLength(3)
  expect(cells.every(cell => cell.length > 10)).toBe(true)
  expect(cells[1]).toMatch(/before anything (else )?is written|fails the job|fails the checkpoint|^Nothing:/i)
})

test('every code is thrown somewhere in lib or operators', () => {
  const thrown = new Set(sources.flatMap(thrownIn))
  expect(codes.filter(code => !thrown.has(code))).toEqual(Object.keys(notThrown))
})

describe('thrown is', () => {
  const cases: readonly [claim: string, text: string, found: readonly string[]][] = [
    ['a code of a new error', "throw new SpillwayError('A', {\n  place,\n})", ['A']],
    ['one of two codes', "new SpillwayError(gone ? 'A' : 'B', { place })", ['A', 'B']],
    ['the code of a border', "decode(type, value, { place, remedy, code: 'A' })", ['A']],
    ['not a code that is compared', "error instanceof SpillwayError && error.code === 'A'", []],
    ['not a code in a comment', '/** @throws A, `B` */', []],
  ]
  test.each(cases)('%s', (_, text, found) => {
    expect(thrownIn(text)).toEqual(found)
  })
})

function thrownIn(text: string): readonly string[] {
  const created = Array.from(text.matchAll(/new SpillwayError\(([^{]*)\{/g), ([, code]) => code as string)
  return [...created.flatMap(code => codesIn(code, /'([A-Z_]+)'/g)), ...codesIn(text, /\bcode: '([A-Z_]+)'/g)]
}

function codesIn(text: string, pattern: RegExp): readonly string[] {
  return Array.from(text.matchAll(pattern), ([, code]) => code as string)
}
