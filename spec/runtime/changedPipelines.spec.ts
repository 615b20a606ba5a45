import * as t from 'io-ts'
import * as rx from 'rxjs'
import {
  type Job,
  keyedOperator,
  memoryStore,
  named,
  operator,
  type Pipeline,
  planRestore,
  type RestorePlan,
  type RunOptions,
  type Sink,
  type Store,
  type Stream,
  stream,
  versioned,
} from 'spillway'
import { fromArray, into, keyBy, map, rebalance } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { run } from '../run.ts'
import { slowCollect } from './restored.ts'

/** A record, and which it is of its key's in each operator that it has passed. */
type Counted = { readonly n: number; readonly [operator: string]: number }
type Step = (stream: Stream<Counted>) => Stream<Counted>

const numbers = Array.from({ length: 900 }, (_, n): Counted => ({ n }))
const keys = { seven: 7, five: 5, three: 3 } as const

const counting = (name: keyof typeof keys, codec: t.Type<number, any> = t.number): Step => {
  const counted = keyedOperator<Counted, number, Counted>(name, ({ state }) => {
    const count = state.value('count', codec, 0)
    return { record: (record, out) => out.emit({ ...record, [name]: count.update(n => n + 1) }) }
  })
  return source =>
    source.pipe(
      keyBy(({ n }) => n % keys[name]),
      counted,
    )
}
const seven = counting('seven')
const five = counting('five')
const three = counting('three')
const inVersion2 = versioned({
  version: 2,
  codec: t.number,
  migrations: { 1: { codec: t.number, migrate: (n: number) => n } },
})
const dealt: Step = source => source.pipe(rebalance())
const same: Step = source => source.pipe(map(record => record))
const all: Step = operator<Counted, Counted>('all', ({ state }) => {
  const count = state.value('count', t.number, 0)
  return { record: (record, out) => out.emit({ ...record, all: count.update(n => n + 1) }) }
})

const pipeline = (steps: readonly Step[], sink: Sink<Counted>): Pipeline =>
  steps
    .reduce((source, step) => step(source), stream(fromArray(numbers), { parallelism: 1 }) as Stream<Counted>)
    .pipe(named('out', into(sink)))

const options = { checks: true, channels: { bufferRecordsMax: 4, buffersMax: 2 } } satisfies RunOptions
const running = (job: Job) => rx.firstValueFrom(job.status$.pipe(rx.filter(({ kind }) => kind === 'running')))
const hasRead = (job: Job) =>
  rx.firstValueFrom(rx.timer(0, 1).pipe(rx.filter(() => (job.sources()[0]?.recordsRead ?? 0) >= 60)))

/** Stopped with a savepoint when some records were read. */
const stopped = async (steps: readonly Step[], sink: Sink<Counted>, more: RunOptions): Promise<Store> => {
  const savepoint = memoryStore()
  const job = run(pipeline(steps, sink), { ...options, ...more })
  await hasRead(job)
  await job.stop({ savepoint })
  return savepoint
}

const linesOf = ({ states }: RestorePlan): readonly string[] =>
  states.map(({ operator, state, kind }) => `${operator}/${state} ${kind}`).sort()

/** Of each key in the operator: 1, 2, 3, ..., each once. */
const isContinued = (records: readonly Counted[], name: keyof typeof keys): boolean => {
  const passed = records.filter(record => name in record)
  return Array.from({ length: keys[name] }, (_, key) => passed.filter(({ n }) => n % keys[name] === key)).every(of =>
    of
      .map(record => record[name] as number)
      .sort((a, b) => a - b)
      .every((count, i) => count === i + 1),
  )
}

interface Case {
  readonly claim: string
  readonly steps: readonly Step[]
  readonly plan: readonly string[]
  readonly allowDropped?: readonly string[]
}

describe('a savepoint is restored into a changed pipeline, by the names of its operators', () => {
  const kept = ['five/count kept', 'fromArray/position kept', 'seven/count kept']
  const cases: readonly Case[] = [
    { claim: 'the same one', steps: [seven, five], plan: kept },
    { claim: 'one whose stages are cut differently', steps: [dealt, seven, same, five, dealt], plan: kept },
    { claim: 'one in another order', steps: [five, seven], plan: kept },
    { claim: 'one with an operator more', steps: [seven, three, five], plan: [...kept, 'three/count new'] },
    {
      claim: 'one with an operator less',
      steps: [seven],
      plan: ['five/count dropped', 'fromArray/position kept', 'seven/count kept'],
      allowDropped: ['five'],
    },
    {
      claim: 'one without a state',
      steps: [five],
      plan: ['five/count kept', 'fromArray/position kept', 'seven/count dropped'],
      allowDropped: ['seven/count'],
    },
    {
      claim: 'one with a codec of a later version',
      steps: [seven, counting('five', inVersion2)],
      plan: ['five/count migrated', ...kept.slice(1)],
    },
  ]
  const atBoth = cases.flatMap(of => [2, 3].map(parallelism => ({ ...of, parallelism })))
  test.each(atBoth)('$claim, at parallelism $parallelism', async ({ parallelism, steps, plan, allowDropped = [] }) => {
    const records: Counted[] = []
    const sink = slowCollect(records, { macrotasks: 1 })
    const savepoint = await stopped([seven, five], sink, { parallelism: 2 })
    const of = { ...options, parallelism, restore: { savepoint, allowDropped } }
    const planned = await planRestore(pipeline(steps, sink), of)
    expect(planned && linesOf(planned)).toEqual(plan)
    const job = run(pipeline(steps, sink), of)
    const status = await running(job)
    expect(status.kind === 'running' && status.resumedFrom?.plan).toEqual(planned)
    await job.done
    expect(records.map(({ n }) => n).sort((a, b) => a - b)).toEqual(numbers.map(({ n }) => n))
    for (const name of ['seven', 'five', 'three'] as const) expect(isContinued(records, name)).toBe(true)
  })
})

test('what would be dropped is named, and nothing is written', async () => {
  const sink = slowCollect<Counted>([], { macrotasks: 1 })
  const savepoint = await stopped([seven, five], sink, {})
  const store = memoryStore()
  const job = run(pipeline([three], sink), { ...options, store, restore: { savepoint, allowDropped: ['five'] } })
  await expect(job.done).rejects.toMatchObject({
    code: 'STATE_WOULD_BE_DROPPED',
    message: expect.stringContaining(
      "no longer have: seven/count. Give the operator its old name by named(...), or accept it: restore: { savepoint, allowDropped: ['seven/count'] }",
    ),
  })
  expect(await rx.firstValueFrom(store.entries())).toEqual([])
})

test('the plan is told before anything is written', async () => {
  const sink = slowCollect<Counted>([], { macrotasks: 1 })
  const savepoint = await stopped([seven, five], sink, {})
  const inner = memoryStore()
  const store: Store = { ...inner, list: prefix => inner.list(prefix).pipe(rx.delay(1)) }
  const job = run(pipeline([five, seven], sink), { ...options, store, restore: { savepoint } })
  const told = await rx.firstValueFrom(
    job.status$.pipe(
      rx.filter(status => status.kind === 'starting' && status.plan !== undefined),
      rx.switchMap(() => store.entries()),
    ),
  )
  expect(told).toEqual([])
  await job.cancel()
})

test('the plan is told in one sentence', async () => {
  const sink = slowCollect<Counted>([], { macrotasks: 1 })
  const savepoint = await stopped([seven, five], sink, {})
  const plan = await planRestore(pipeline([counting('seven', inVersion2), three], sink), { restore: { savepoint } })
  expect(plan?.message).toBe(
    '1 kept, 1 migrated, 1 new, 1 dropped: seven/count migrated from version 1 to 2, three/count new, five/count dropped',
  )
  expect(await planRestore(pipeline([seven], sink), {})).toBeUndefined()
})

test('a start after one that was stopped before its first checkpoint finds them by name too, and drops what that one might', async () => {
  const records: Counted[] = []
  const sink = slowCollect(records, { macrotasks: 1 })
  const savepoint = await stopped([seven, five], sink, { parallelism: 2 })
  const store = memoryStore()
  const changed = () => pipeline([dealt, three, seven], sink)
  const first = run(changed(), { ...options, parallelism: 3, store, restore: { savepoint, allowDropped: ['five'] } })
  await running(first)
  await first.cancel()
  await run(changed(), { ...options, parallelism: 2, store }).done
  expect(records.map(({ n }) => n).sort((a, b) => a - b)).toEqual(numbers.map(({ n }) => n))
  expect(isContinued(records, 'seven')).toBe(true)
})

describe('state of a whole task', () => {
  const moved = async (parallelism: number): Promise<readonly Counted[]> => {
    const records: Counted[] = []
    const sink = slowCollect(records, { macrotasks: 1 })
    const savepoint = await stopped([all, seven], sink, {})
    await run(pipeline([dealt, all, seven], sink), { ...options, parallelism, restore: { savepoint } }).done
    return records
  }

  test('goes with its operator', async () => {
    const records = await moved(1)
    expect(records.map(record => record.all).sort((a, b) => (a as number) - (b as number))).toEqual(
      numbers.map((_, i) => i + 1),
    )
  })

  test('is refused at another parallelism', async () => {
    await expect(moved(2)).rejects.toMatchObject({ code: 'PARALLELISM_CHANGED' })
  })
})

test('a checkpoint is not restored into another pipeline: it may have records in flight', async () => {
  const sink = slowCollect<Counted>([], { macrotasks: 1 })
  const store = memoryStore()
  const job = run(pipeline([seven, five], sink), { ...options, store })
  await hasRead(job)
  await job.triggerCheckpoint()
  await job.cancel()
  await expect(run(pipeline([dealt, seven, five], sink), { store }).done).rejects.toMatchObject({
    code: expect.stringMatching(/STATE_WOULD_BE_DROPPED|STATE_NOT_MATCHED/),
    message: expect.stringContaining('stop it with a savepoint'),
  })
})
