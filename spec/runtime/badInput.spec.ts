import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as t from 'io-ts'
import * as rx from 'rxjs'
import { from } from 'rxjs'
import {
  buffer,
  type ErrorCode,
  end,
  memoryStore,
  named,
  operator,
  type Pipeline,
  type RunOptions,
  SpillwayError,
  type Store,
  Stream,
  stream,
} from 'spillway'
import { fileStore, ndjsonFile, ndjsonFiles } from 'spillway/node'
import {
  collect,
  count,
  eachRecord,
  eventTime,
  flatMap,
  fromArray,
  into,
  keyBy,
  map,
  rebalance,
  scan,
  tumblingWindow,
  union,
} from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../run.ts'

interface Case {
  readonly code: ErrorCode
  /** What the message must name: the place, and the remedy. */
  readonly names: readonly string[]
  readonly start: () => Promise<unknown>
}

const numbers = () => stream(fromArray([1, 2, 3]))
const perKey = (pipe: Stream<number>) => pipe.pipe(keyBy(n => n))
const start = async (pipelines: () => Pipeline | readonly Pipeline[], options: RunOptions = {}) =>
  run([pipelines()].flat(), options).done
const counting = (name: string, sinkName = 'collect') =>
  perKey(numbers()).pipe(
    named(
      name,
      scan(n => n + 1, 0),
    ),
    named(sinkName, into(collect<number>())),
  )

const totalling = () =>
  numbers().pipe(
    operator<number, number>('total', ({ state }) => {
      const sum = state.value('sum', t.number, 0)
      return { record: (n, out) => out.emit(sum.update(before => before + n)) }
    }),
    into(collect<number>()),
  )

/** A store in which a job of this pipeline has completed. */
const filled = async (pipeline: Pipeline, options: RunOptions = {}, store: Store = memoryStore()): Promise<Store> => {
  const job = run(pipeline, { ...options, store })
  await job.done
  return store
}

const cases: Record<string, Case> = {
  'no pipeline': { code: 'NO_PIPELINE', names: ['into(sink)'], start: () => start(() => []) },
  'no source': {
    code: 'NO_SOURCE',
    names: ['lane', 'stream(source)'],
    start: () =>
      start(() =>
        new Stream<number>({ name: 'lane', inputs: [] }, () => from([buffer([1]), end])).pipe(into(collect())),
      ),
  },
  'an RxJS operator between ours': {
    code: 'NOT_A_STREAM',
    names: ['map', 'eachRecord'],
    start: () =>
      start(() =>
        map((n: number) => n)((numbers() as rx.Observable<any>).pipe(rx.take(1)) as any).pipe(into(collect())),
      ),
  },
  'an unknown option': {
    code: 'UNKNOWN_OPTION',
    names: ['checkpoints.evryMs', 'everyMs'],
    start: () => start(() => counting('a'), { checkpoints: { evryMs: 1 } } as RunOptions),
  },
  'an impossible option': {
    code: 'INVALID_OPTION',
    names: ['parallelism', 'a whole number of at least 1', '0'],
    start: () => start(() => counting('a'), { parallelism: 0 }),
  },
  'two stateful operators of one name': {
    code: 'DUPLICATE_NAME',
    names: ['scan', "named('"],
    start: () =>
      start(() => {
        const keyed = perKey(numbers())
        const scanned = () => keyed.pipe(scan(n => n + 1, 0))
        return [scanned().pipe(named('x', into(collect()))), scanned().pipe(named('y', into(collect())))]
      }),
  },
  'a side output that nobody reads': {
    code: 'SIDE_NOT_READ',
    names: ['tumblingWindow', ".side('late')"],
    start: () =>
      start(() =>
        numbers().pipe(
          eventTime({ timeMs: n => n, outOfOrderMs: 0 }),
          keyBy(n => n),
          tumblingWindow({ sizeMs: 1, late: 'side' }, count()),
          into(collect()),
        ),
      ),
  },
  'event time behind an exchange': {
    code: 'EVENT_TIME_NOT_PER_SPLIT',
    names: ['eventTime', 'directly behind the source'],
    start: () =>
      start(() => numbers().pipe(rebalance(), eventTime({ timeMs: n => n, outOfOrderMs: 0 }), into(collect()))),
  },
  'a window without event time': {
    code: 'NO_EVENT_TIME',
    names: ['hourly', 'eventTime(...)'],
    start: () =>
      start(() =>
        perKey(numbers()).pipe(named('hourly', tumblingWindow({ sizeMs: 1, late: 'drop' }, count())), into(collect())),
      ),
  },
  'a window behind a union with a stream without event time': {
    code: 'NO_EVENT_TIME',
    names: ['tumblingWindow', 'eventTime(...)'],
    start: () => {
      const timed = numbers().pipe(eventTime({ timeMs: n => n, outOfOrderMs: 0 }))
      const untimed = stream(fromArray([4, 5], { name: 'untimed' }))
      return start(() =>
        perKey(union(timed, untimed)).pipe(tumblingWindow({ sizeMs: 1, late: 'drop' }, count()), into(collect())),
      )
    },
  },
  'a key that is none': {
    code: 'INVALID_KEY',
    names: ['keyBy', 'undefined'],
    start: () =>
      start(() =>
        numbers().pipe(
          keyBy(() => undefined as unknown as string),
          scan(n => n, 0),
          into(collect()),
        ),
      ),
  },
  'a user function that throws': {
    code: 'USER_FUNCTION_FAILED',
    names: ['double', 'record 2', 'two is too many'],
    start: () =>
      start(() =>
        numbers().pipe(
          named(
            'double',
            map((n: number) => {
              if (n === 2) throw new Error('two is too many')
              return 2 * n
            }),
          ),
          into(collect<number>()),
        ),
      ),
  },
  'a handler that throws': {
    code: 'USER_FUNCTION_FAILED',
    names: ['flatMap', 'record 3', 'not three'],
    start: () =>
      start(() =>
        numbers().pipe(
          flatMap(n => {
            if (n === 3) throw new Error('not three')
            return [n]
          }),
          into(collect()),
        ),
      ),
  },
  'an RxJS operator that waits': {
    code: 'EACH_RECORD_ASYNC',
    names: ['slow', 'record 1', 'asyncMap'],
    start: () => start(() => numbers().pipe(named('slow', eachRecord(rx.delay<number>(1))), into(collect()))),
  },
  'an RxJS operator that fails': {
    code: 'USER_FUNCTION_FAILED',
    names: ['eachRecord', 'record 1', 'not one'],
    start: () =>
      start(() => numbers().pipe(eachRecord(rx.mergeMap(() => rx.throwError(() => 'not one'))), into(collect()))),
  },
  'a union of an empty list': {
    code: 'NO_SOURCE',
    names: ['union', 'at least one'],
    start: () => start(() => union(...([] as Stream<number>[])).pipe(into(collect()))),
  },
  'a source whose reader throws': {
    code: 'READ_FAILED',
    names: ['broken', 'split 0/1', 'no such page'],
    start: () => {
      const source = fromArray([1], { name: 'broken' })
      const open = (split: string) => ({
        ...source.open(split, undefined),
        next: () => {
          throw new Error('no such page')
        },
      })
      return start(() => stream({ ...source, open }).pipe(into(collect())))
    },
  },
  'a sink that throws': {
    code: 'WRITE_FAILED',
    names: ['collect', 'shelf is full'],
    start: () => {
      const sink = collect<number>()
      const write = () => {
        throw new Error('shelf is full')
      }
      return start(() => numbers().pipe(into({ ...sink, open: task => ({ ...sink.open(task), write }) })))
    },
  },
  'a sink that cannot publish': {
    code: 'PUBLISH_FAILED',
    names: ['collect', 'nobody answers'],
    start: () => {
      const sink = collect<number>()
      const publish = () => rx.throwError(() => new Error('nobody answers'))
      const pipeline = () => numbers().pipe(into({ ...sink, open: task => ({ ...sink.open(task), publish }) }))
      return start(pipeline, { checkpoints: { publishTimeoutMs: 150 } })
    },
  },
  'a record that cannot be encoded': {
    code: 'NOT_ENCODABLE',
    names: ['map', '.callback'],
    start: () =>
      start(() =>
        numbers().pipe(
          map(n => ({ n, callback: () => n })),
          rebalance(),
          into(collect()),
        ),
      ),
  },
  'a missing file': {
    code: 'FILE_NOT_FOUND',
    names: ['/nowhere/flights.ndjson'],
    start: () => start(() => stream(ndjsonFile('/nowhere/flights.ndjson', t.number)).pipe(into(collect()))),
  },
  'a line that does not decode': {
    code: 'UNDECODABLE',
    names: ['numbers.ndjson', 'line 2', 'expected number', '"two"'],
    start: () => {
      const file = join(mkdtempSync(join(tmpdir(), 'spillway-')), 'numbers.ndjson')
      writeFileSync(file, '1\n"two"\n')
      return start(() => stream(ndjsonFile(file, t.number)).pipe(into(collect())))
    },
  },
  'a directory that cannot be made': {
    code: 'WRITE_FAILED',
    names: ['/dev/null/out'],
    start: () => start(() => numbers().pipe(into(ndjsonFiles('/dev/null/out', t.number)))),
  },
  'a store that cannot be made': {
    code: 'STORE_FAILED',
    names: ['/dev/null/checkpoints'],
    start: () => start(() => counting('a'), { store: fileStore('/dev/null/checkpoints') }),
  },
  'a store of another pipeline': {
    code: 'STATE_WOULD_BE_DROPPED',
    names: ['counts', 'restore: "none"'],
    start: async () => {
      const store = await filled(counting('counts'))
      return start(() => numbers().pipe(into(collect())), { store })
    },
  },
  'another number of key groups': {
    code: 'KEY_GROUPS_CHANGED',
    names: ['128', '256', 'keyGroups: 128'],
    start: async () => {
      const store = await filled(counting('counts'))
      return start(() => counting('counts'), { store, keyGroups: 256 })
    },
  },
  'state of a whole task at another parallelism': {
    code: 'PARALLELISM_CHANGED',
    names: ['operator total', 'state sum', 'by key'],
    start: async () => {
      const store = await filled(totalling(), { parallelism: 2 })
      return start(totalling, { store, parallelism: 3 })
    },
  },
  "two tasks' snapshots, whole but each in the other's place": {
    code: 'DAMAGED',
    names: ['it is not what was written for task', 'backup'],
    start: async () => {
      const store = await filled(counting('counts'), { parallelism: 2, checkpoints: { inlineBytesMax: 0 } })
      const swapped: Store = { ...store, get: (object, range) => store.get(object.replace(/\d(\.1)$/, other), range) }
      return start(() => counting('counts'), { store: swapped, parallelism: 2 })
    },
  },
}

/** The object of subtask 0 for that of 1, and the other way round. */
function other(end: string): string {
  return end === '0.1' ? '1.1' : '0.1'
}

for (const [name, { code, names, start: begin }] of Object.entries(cases)) {
  test(`${name}: ${code}`, async () => {
    const error = await begin().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(SpillwayError)
    const { message, code: found, remedy } = error as SpillwayError
    expect(found, message).toBe(code)
    for (const part of names) expect(message).toContain(part)
    expect(remedy.length).toBeGreaterThan(10)
  })
}

test('any damaged file of a store is found before anything is written', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-'))
  const checkpoints = { inlineBytesMax: 0 }
  await filled(counting('counts'), { parallelism: 2, checkpoints }, fileStore(directory))
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
  expect(files.length).toBeGreaterThan(3)
  for (const file of files) {
    const whole = readFileSync(file)
    const damaged = Uint8Array.from(whole)
    const at = Math.floor(whole.length / 2)
    damaged[at] = (damaged[at] as number) ^ 1
    writeFileSync(file, damaged)
    const error = await start(() => counting('counts'), { parallelism: 2, store: fileStore(directory) }).catch(e => e)
    expect((error as SpillwayError).code, file).toBe('DAMAGED')
    writeFileSync(file, whole)
  }
  await start(() => counting('counts'), { parallelism: 2, store: fileStore(directory) })
})
