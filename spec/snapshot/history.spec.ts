import { expect, test } from 'vitest'
import { completedIn, history, type Numbered, newestParts, partsOf } from '../../lib/snapshot/history.ts'
import type { LogEntry } from '../../lib/snapshot/log.ts'

/**
 * Entries in words: `start`, `start none`, `start 3@1,2` (from checkpoint 3, whose parts are in entries 1 and 2), `done`,
 * `3: a` (a's part of checkpoint 3), `3: a complete`, `3: b complete with a@2/1` (a's part of checkpoint 2 in entry 1).
 */
const entry = (words: string, i: number): Numbered<LogEntry> => {
  const n = i + 1
  const start = /^start(?: (none)| (\d+)@([\d,]+))?$/.exec(words)
  if (start !== null) {
    const [, none, checkpoint, entries] = start
    const older = { checkpoint: Number(checkpoint), entries: (entries ?? '').split(',').map(Number) }
    const from = none === undefined ? (checkpoint === undefined ? 'latest' : older) : 'none'
    return { kind: 'start', epoch: 1, from, nextCheckpoint: 1, n }
  }
  if (words === 'done') return { kind: 'done', epoch: 1, n }
  const [, checkpoint, tasks = '', complete, task, of, at] =
    /^(\d+):((?: [a-z])*)( complete)?(?: with ([a-z])@(\d+)\/(\d+))?$/.exec(words) ?? []
  const carriedOver = task === undefined ? [] : [{ task, checkpoint: Number(of), entry: Number(at) }]
  return {
    kind: 'commit',
    epoch: 1,
    checkpoint: Number(checkpoint),
    keyGroups: 128,
    stages: { s: 2 },
    parts: tasks
      .trim()
      .split(' ')
      .filter(name => name !== '')
      .map(name => ({ tasks: [{ task: name, ended: false, sections: [], pieces: [] }] })),
    ...(complete === undefined ? {} : { completes: { carriedOver } }),
    n,
  }
}

const log = (...words: readonly string[]) => words.map(entry)
const shown = (parts: ReturnType<typeof newestParts> | undefined) =>
  parts?.map(({ checkpoint, entry: at, snapshots }) => `${snapshots[0]?.task} of ${checkpoint} in ${at}`).sort()

test.each<[string, readonly string[], readonly string[], boolean]>([
  ['nothing', ['start'], [], false],
  ['the newest part of each task', ['start', '1: a b complete', '2: a'], ['a of 2 in 3', 'b of 1 in 2'], false],
  ['also over starts', ['start', '1: a', 'start', '2: b'], ['a of 1 in 2', 'b of 2 in 4'], false],
  ['nothing from before a start that began anew', ['start', '1: a b complete', 'start none'], [], false],
  ['only what has come since it', ['start', '1: a b complete', 'start none', '2: a', 'start'], ['a of 2 in 4'], false],
  [
    'an older checkpoint, and nothing newer than it from before the start that went back',
    ['start', '1: a b complete', '2: a b complete', '3: a', 'start 1@2', 'start'],
    ['a of 1 in 2', 'b of 1 in 2'],
    false,
  ],
  [
    'and what has come since',
    ['start', '1: a b complete', '2: a b complete', 'start 1@2', '3: b'],
    ['a of 1 in 2', 'b of 3 in 5'],
    false,
  ],
  ['a job that is done is done', ['start', '1: a b complete', 'done', 'start'], ['a of 1 in 2', 'b of 1 in 2'], true],
  [
    'until it goes back',
    ['start', '1: a b complete', '2: a b complete', 'done', 'start 1@2'],
    ['a of 1 in 2', 'b of 1 in 2'],
    false,
  ],
  ['or goes on', ['start', '1: a b complete', 'done', 'start none', '2: a'], ['a of 2 in 5'], false],
])('a start takes: %s', (_, words, parts, done) => {
  const of = history(log(...words))
  expect([shown(newestParts(of.commits)), of.done]).toEqual([parts, done])
})

const idsIn = (of: ReturnType<typeof commits>) =>
  completedIn(of, { objects: new Set(), withoutInFlight: false }).map(({ checkpoint }) => checkpoint)

const commits = (...words: readonly string[]) => history(log('start', ...words)).commits

test('a completed checkpoint has its own parts, in whichever entries, and those carried over', () => {
  const all = commits('1: a b complete', '2: b', '2: a complete', '3: b complete with a@2/4')
  expect([1, 2, 3].map(id => shown(partsOf(all, id)))).toEqual([
    ['a of 1 in 2', 'b of 1 in 2'],
    ['a of 2 in 4', 'b of 2 in 3'],
    ['a of 2 in 4', 'b of 3 in 5'],
  ])
  expect(idsIn(all)).toEqual([1, 2, 3])
})

test('one that is not completed, or of which a part is gone, is none', () => {
  expect(idsIn(commits('1: a', '2: b complete', '3: a complete with b@1/9'))).toEqual([])
})
