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

/** `npm run -s conformance -- FILE...`: all cases of these files; exit code 1 if one fails, 2 if one cannot be run. */
const main = (files: readonly string[]): number => {
  if (files.length === 0) throw new Error('Name at least one file of cases.')
  const ran = files.flatMap(casesOf)
  const failed = ran.filter(({ failures }) => failures.length > 0)
  for (const failure of failed.flatMap(({ failures }) => failures)) console.log(line(failure))
  console.log(`${ran.length - failed.length} passed, ${failed.length} failed`)
  return failed.length === 0 ? 0 : 1
}

const casesOf = (file: string): readonly { readonly failures: readonly Failed[] }[] => {
  const { suite, cases } = decode(suiteType, parsed(file), {
    place: file,
    remedy: 'A file of cases is an object { suite, cases }.',
    code: 'INVALID_OPTION',
  })
  const run = Object.hasOwn(suites, suite) ? suites[suite] : undefined
  if (run === undefined)
    throw new Error(`${file}: there is no suite "${suite}", only ${Object.keys(suites).join(', ')}.`)
  return cases.map(of => {
    try {
      return { failures: run(of).map(failure => ({ ...failure, suite, id: of.id, name: of.name })) }
    } catch (error) {
      throw new Error(`${file}, case ${of.id}: ${messageOf(error)}`)
    }
  })
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
