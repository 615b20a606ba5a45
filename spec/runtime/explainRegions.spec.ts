import * as t from 'io-ts'
import { defer, filter, firstValueFrom, throwError } from 'rxjs'
import {
  explainRegions,
  keyedWithBroadcast,
  memoryStore,
  type Pipeline,
  regional,
  type Sink,
  type Store,
  stream,
} from 'spillway'
import { broadcast, collect, fromArray, global, into, keyBy, map, rebalance, rescale, union } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { run } from '../run.ts'
import { slowCollect } from './restored.ts'

const policy = regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 })

const numbers = (name: string, length = 4) =>
  stream(
    fromArray(
      Array.from({ length }, (_, n) => n),
      { name, splits: 4 },
    ),
  )
const sink = (name: string): Sink<unknown> => ({ ...collect<unknown>(), name })
const direct = (name: string) => numbers(name).pipe(into(sink(`${name}-out`)))

interface Case {
  readonly pipelines: () => Pipeline | readonly Pipeline[]
  readonly text: string
}

const cases: Readonly<Record<string, Case>> = {
  'tasks without channels are regions by themselves': {
    pipelines: () => direct('a'),
    text: '4 regions of 4 tasks\n4 x 0:a',
  },
  'rescale joins as many producers with as many consumers one to one': {
    pipelines: () => numbers('a').pipe(rescale(), into(sink('out'))),
    text: '4 regions of 8 tasks\n4 x 0:a, 1:out',
  },
  'rescale to half as many consumers joins pairs': {
    pipelines: () => numbers('a').pipe(rescale({ parallelism: 2 }), into(sink('out'))),
    text: '2 regions of 6 tasks\n2 x 0:a (2 tasks), 1:out',
  },
  'pipelines that share nothing are regions beside each other': {
    pipelines: () => [direct('a'), numbers('b').pipe(rebalance({ parallelism: 3 }), into(sink('out')))],
    text: '5 regions of 11 tasks\n4 x 0:a\n1 x 1:b (4 tasks), 2:out (3 tasks)',
  },
  'a union joins its inputs task by task': {
    pipelines: () => union(numbers('a'), numbers('b')).pipe(into(sink('out'))),
    text: '4 regions of 12 tasks\n4 x 0:a, 1:b, 2:union',
  },
  'keyBy makes one region of all': {
    pipelines: () =>
      numbers('a').pipe(
        keyBy(n => n),
        into(sink('out')),
      ),
    text: '1 region of 8 tasks\n1 x 0:a (4 tasks), 1:out (4 tasks)\nbecause keyBy joins all tasks of 0:a with all of 1:out',
  },
  'global makes one region of all': {
    pipelines: () => numbers('a').pipe(rescale(), map(String), global(), into(sink('out'))),
    text: '1 region of 12 tasks\n1 x 0:a (4 tasks), 1:map (4 tasks), 2:out (4 tasks)\nbecause global joins all tasks of 1:map with all of 2:out',
  },
  'regions that are alike stand in one line': {
    pipelines: () => numbers('a').pipe(rescale({ parallelism: 3 }), into(sink('out'))),
    text: '3 regions of 7 tasks\n2 x 0:a, 1:out\n1 x 0:a (2 tasks), 1:out',
  },
}

test.each(Object.entries(cases))('%s', (_, { pipelines, text }) => {
  expect(explainRegions(pipelines(), { parallelism: 4 }).text).toBe(text)
})

test('a region lists its tasks by name', () => {
  const { regions } = explainRegions(cases['rescale to half as many consumers joins pairs']!.pipelines(), {
    parallelism: 4,
  })
  expect(regions).toEqual([
    ['0:a/0', '0:a/1', '1:out/0'],
    ['0:a/2', '0:a/3', '1:out/1'],
  ])
})

describe('with a regional policy', () => {
  const options = { parallelism: 2, checkpoints: { policy } }

  test('a job of one region runs globally, and says so once: nothing is carried over', async () => {
    const inner = memoryStore()
    let failing = 0
    // Only the commit of the part fails: a checkpoint that carries it over would still be completed.
    const store: Store = {
      ...inner,
      append: (n, bytes) => defer(() => (failing-- > 0 ? throwError(() => new Error('full')) : inner.append(n, bytes))),
    }
    const anyNumber = regional({ failedRatioMax: 1, consecutiveFailuresMax: 9 })
    const records: number[] = []
    const keyed = numbers('a', 4_000).pipe(
      keyBy(n => n),
      into(slowCollect(records, { macrotasks: 1 })),
    )
    const job = run(keyed, {
      parallelism: 2,
      store,
      channels: { bufferRecordsMax: 4, buffersMax: 2 },
      checkpoints: { policy: anyNumber },
    })
    expect(job.warnings).toEqual([
      {
        code: 'ONE_REGION',
        message: expect.stringMatching(/its checkpoints are global: keyBy joins all tasks of 0:a with all of 1:/),
      },
    ])
    await firstValueFrom(job.status$.pipe(filter(({ kind }) => kind === 'running')))
    expect(await job.triggerCheckpoint()).toMatchObject({ outcome: 'completed' })
    failing = 1
    expect(await job.triggerCheckpoint()).toMatchObject({ outcome: 'failed' })
    job.configure({ checkpoints: { policy: anyNumber } })
    failing = 1
    expect(await job.triggerCheckpoint()).toMatchObject({ outcome: 'failed' })
    await job.done
    expect(records.sort((a, b) => a - b)).toEqual(Array.from({ length: 4_000 }, (_, n) => n))
  })

  test('a job of several regions warns of nothing, nor does a global one', async () => {
    const job = run(direct('a'), options)
    const other = run(numbers('b').pipe(rebalance(), into(sink('out'))), { parallelism: 2 })
    expect([job.warnings, other.warnings]).toEqual([[], []])
    await Promise.all([job.done, other.done])
  })

  test('an operator with broadcast state is refused by name, with the remedy', () => {
    const rules = numbers('rules').pipe(broadcast())
    const keyed = numbers('a').pipe(keyBy(n => n))
    const above = keyedWithBroadcast<number, number, number, number>(
      'aboveTheRule',
      keyed,
      rules,
      ({ broadcastState }) => {
        const rule = broadcastState.value('rule', t.number, 0)
        return {
          record: (n, out) => {
            if (n > rule.get()) out.emit(n)
          },
          broadcast: n => rule.set(n),
        }
      },
      { effect: 'broadcastState' },
    )
    const refused = expect.objectContaining({
      code: 'NOT_REGIONAL',
      place: 'aboveTheRule',
      message: expect.stringMatching(/broadcast state.*global\(\)/),
    })
    const pipeline = above.pipe(into(sink('out')))
    expect(() => run(pipeline, options)).toThrow(refused)
    expect(() => run([pipeline, direct('b')], options)).toThrow(refused)
    expect(explainRegions([pipeline, direct('b')], options).regions).toHaveLength(3)
  })

  test('a transaction that tasks of several regions share is refused, and taken where they are one region', async () => {
    const shared = (name: string): Sink<unknown> => ({ ...sink(name), sharedTransaction: true })
    expect(() => run(numbers('a').pipe(into(shared('ledger'))), options)).toThrow(
      expect.objectContaining({
        code: 'NOT_REGIONAL',
        place: 'ledger',
        message: expect.stringMatching(/share a transaction/),
      }),
    )
    const job = run([numbers('a').pipe(global({ parallelism: 1 }), into(shared('ledger'))), direct('b')], options)
    await job.done
    expect(job.warnings).toEqual([])
  })
})
