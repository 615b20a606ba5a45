import { readFileSync } from 'node:fs'
import * as t from 'io-ts'
import { decode } from '../../lib/decode.ts'
import { messageOf } from '../../lib/error.ts'
import type { Failure } from './failure.ts'
import { suites } from './suites.ts'

const suiteType = t.type({
  suite: t.string,
  cases: t.array(t.intersection([t.type({ id: t.string, name: t.string, origin: t.string }), t.UnknownRecord])),
})

interface Failed extends Failure {
  readonly suite: string
  readonly id: string
  readonly name: string
}

/** `npm run -s conformance -- FILE...`: all cases of these files; exit code 1 if one fails, 2 if a file cannot be parsed. */
const main = (files: readonly string[]): number => {
  if (files.length === 0) throw new Error('Name at least one file of cases.')
  // All are read before one is run: a file that cannot be parsed leaves no half of a result.
  const ran = files.flatMap(casesOf).map(run => ({ failures: run() }))
  const failed = ran.filter(({ failures }) => failures.length > 0)
  for (const failure of failed.flatMap(({ failures }) => failures)) console.log(line(failure))
  console.log(`${ran.length - failed.length} passed, ${failed.length} failed`)
  return failed.length === 0 ? 0 : 1
}

const casesOf = (file: string): readonly (() => readonly Failed[])[] => {
  const { suite, cases } = decode(suiteType, parsed(file), {
    place: file,
    remedy: 'A file of cases is an object { suite, cases }.',
    code: 'INVALID_OPTION',
  })
  const read = Object.hasOwn(suites, suite) ? suites[suite] : undefined
  if (read === undefined)
    throw new Error(`${file}: there is no suite "${suite}", only ${Object.keys(suites).join(', ')}.`)
  return cases.map(of => {
    try {
      const run = read(of)
      return () => failuresOf(run).map(failure => ({ ...failure, suite, id: of.id, name: of.name }))
    } catch (error) {
      throw new Error(`${file}, case ${of.id}: ${messageOf(error)}`)
    }
  })
}

/** An error thrown is a bug in what is tested, and no result of the other cases. */
const failuresOf = (run: () => readonly Failure[]): readonly Failure[] => {
  try {
    return run()
  } catch (error) {
    return [{ step: 'as a whole', expected: 'no error', got: messageOf(error) }]
  }
}

const parsed = (file: string): unknown => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Error(`${file} cannot be read: ${messageOf(error)}`)
  }
}

const line = ({ suite, id, name, step, expected, got }: Failed): string =>
  `${suite} ${id} (${name}) ${step}: expected ${expected}, got ${got}`

try {
  process.exitCode = main(process.argv.slice(2))
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 2
}
