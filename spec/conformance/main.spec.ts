import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'spillway-conformance-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const root = fileURLToPath(new URL('../../', import.meta.url))
const given = (suite: string) => fileURLToPath(new URL(`cases/${suite}.json`, import.meta.url))

const ran = (...files: readonly string[]) => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const child = spawnSync(process.execPath, ['--import', 'tsx', '--conditions=@spillway/source', main, ...files], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return { code: child.status, out: child.stdout, error: child.stderr }
}

const file = (name: string, content: string): string => {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

const pool = (steps: readonly object[]) => {
  const options = { size: 1, channels: 1, perChannelMax: 9, overdraftMax: 0 }
  return { suite: 'buffer-pool', cases: [{ id: 'own-1', name: 'one buffer', origin: 'own', ...options, steps }] }
}

test('all given cases pass, and their number is said', () => {
  const { code, out } = ran(given('buffer-pool'), given('debloat'))
  const count = ['buffer-pool', 'debloat'].reduce(
    (sum, suite) => sum + JSON.parse(readFileSync(given(suite), 'utf8')).cases.length,
    0,
  )
  expect([code, out]).toEqual([0, `${count} passed, 0 failed\n`])
})

test('a case that fails is named with what was expected and what came', () => {
  const failing = file('failing.json', JSON.stringify(pool([{ do: 'request 0', out: 'refused', overdraft: 1 }])))
  const { code, out } = ran(failing)
  expect([code, out]).toEqual([
    1,
    [
      'buffer-pool own-1 (one buffer) step 1: request 0, out: expected refused, got granted',
      'buffer-pool own-1 (one buffer) step 1: request 0, overdraft: expected 1, got 0',
      '0 passed, 1 failed',
      '',
    ].join('\n'),
  ])
})

test('a case that throws has failed, with its message, and the others run', () => {
  const thrower = pool([{ do: 'release 0' }]).cases
  const { cases, suite } = pool([{ do: 'request 0', out: 'granted' }])
  const { code, out, error } = ran(file('throwing.json', JSON.stringify({ suite, cases: [...thrower, ...cases] })))
  expect([code, error]).toEqual([1, ''])
  expect(out).toBe(
    [
      'buffer-pool own-1 (one buffer) as a whole: expected no error, got Channel 0 has no buffer to release.',
      '1 passed, 1 failed',
      '',
    ].join('\n'),
  )
})

test.each([
  ['a file that is not there', () => join(directory, 'none.json'), /cannot be read.*ENOENT/],
  ['a file that is no JSON', () => file('broken.json', '{'), /broken.json cannot be read/],
  ['a file without cases', () => file('empty.json', '{"suite":"debloat"}'), /cases: expected/],
  ['an unknown suite', () => file('unknown.json', '{"suite":"dance","cases":[]}'), /no suite "dance"/],
  [
    'a step that cannot be parsed',
    () => file('step.json', JSON.stringify(pool([{ do: 'borrow 0' }]))),
    /case own-1.*`borrow 0`.*cannot be parsed/,
  ],
  [
    'a step of a channel that the case has not',
    () =>
      file(
        'channel.json',
        '{"suite":"alignment","cases":[{"id":"a","name":"b","origin":"c","channels":1,"steps":[{"do":"1 a"}]}]}',
      ),
    /case a.*channel 1/,
  ],
  [
    'a case that lacks what its suite needs',
    () => file('lacking.json', '{"suite":"buffer-pool","cases":[{"id":"a","name":"b","origin":"c","steps":[]}]}'),
    /case a.*size: expected number/,
  ],
] as const)('%s gives exit code 2 and a message', (_, made, message) => {
  const { code, out, error } = ran(made())
  expect([code, out]).toEqual([2, ''])
  expect(error).toMatch(message)
})
