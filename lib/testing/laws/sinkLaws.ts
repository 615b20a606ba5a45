import type { CheckpointId } from '../../element.ts'
import { shown } from '../../graph/callEach.ts'
import type { Sink } from '../../graph/sink.ts'
import type { Subtask } from '../../graph/task.ts'
import { type Law, lawsOf } from './law.ts'
import { expectSame } from './same.ts'
import { type Durable, done, ordersOf, SinkLife, type Step, stored } from './sinkLife.ts'
import { until } from './until.ts'

/** What a sink writes into: what is published there stays, also over restarts. */
export interface SinkPlace<T> {
  /** The sink, as the program makes it at a start. */
  sink(): Sink<T, any>
  /** What is visible, each task's records in order. */
  published(): readonly T[] | Promise<readonly T[]>
  /** What is neither visible nor will be: pending files and the like. */
  leftBehind?(): number | Promise<number>
}

export interface SinkLawsOptions {
  /** Crashes come after each of all orders of so many steps; default 5. One more takes about three times as long. */
  readonly stepsMax?: number
  /** How long a full writer may take to have room again; default 5,000. */
  readonly waitMs?: number
}

/**
 * What every sink keeps: exactly once, whatever the order in which the runtime takes its steps, and wherever a crash comes
 * between them. `make` gives an empty place each time, `record` the nth of any number of different records.
 */
export const sinkLaws = <T>(
  name: string,
  make: () => SinkPlace<T> | Promise<SinkPlace<T>>,
  record: (n: number) => T,
  options: SinkLawsOptions = {},
): readonly Law[] =>
  lawsOf(name, Object.fromEntries(Object.entries(laws).map(([claim, law]) => [claim, closing(law)])), () => ({
    make,
    record,
    stepsMax: options.stepsMax ?? 5,
    waitMs: options.waitMs ?? 5_000,
    lives: [],
  }))

interface Subject {
  readonly make: () => SinkPlace<any> | Promise<SinkPlace<any>>
  readonly record: (n: number) => unknown
  readonly stepsMax: number
  readonly waitMs: number
  /** All that have begun. */
  readonly lives: SinkLife[]
}

type Check = (subject: Subject) => Promise<void>

const laws: Readonly<Record<string, Check>> = {
  'a record is visible once it is published, and not before, in whatever order things come': async subject => {
    await eachLife(subject, async (place, life, steps) => {
      for (const [i, step] of steps.entries()) {
        await life.do(step)
        await expectVisible(place, life.visible, { subject, where: `after ${steps.slice(0, i + 1).join(', ')}` })
      }
    })
  },

  'after a crash between any two steps, what was durable is published once, and nothing else': async subject => {
    await eachLife(subject, async (place, first, steps) => {
      const where = `after ${steps.join(', ')}, a crash`
      await first.all(...steps)
      const second = await restarted(place, first, { subject, epoch: 2 })
      await expectVisible(place, second.visible, { subject, where })
      await second.all('write')
      const third = await restarted(place, second, { subject, epoch: 3 })
      await expectVisible(place, third.visible, { subject, where: `${where}, write, a crash` })
      await third.all('write', 'cut', 'commit')
      const fourth = await restarted(place, third, { subject, epoch: 4 })
      await expectVisible(place, fourth.visible, { subject, where: `${where}, write, cut, commit, a crash` })
      await fourth.all('write', 'cut', 'commit', 'publish')
      await expectVisible(place, fourth.visible, { subject, where: `${where}, and a life without one` })
      for (const life of [first, second, third, fourth]) life.close()
      await expectNothingLeft(place, { subject, where })
    })
  },

  'publishing and recovering again changes nothing': async subject => {
    const place = await subject.make()
    const life = await begun(place, { subject })
    await life.all('write', 'cut', 'commit', 'publish', 'publish', 'write', 'cut', 'commit', 'publish')
    const { transactions } = life.last
    for (const again of [1, 2]) {
      await done(life.writer.publish(transactions))
      await expectVisible(place, life.visible, { subject, where: `published ${again} more` })
    }
    for (const epoch of [2, 3]) {
      await restarted(place, life, { subject, epoch })
      await expectVisible(place, life.visible, { subject, where: `recovered by epoch ${epoch}` })
    }
  },

  'a cut without data gives no transaction': async subject => {
    const { writer } = await begun(await subject.make(), { subject })
    const expectNone = (checkpoint: number, where: string) =>
      expectSame(writer.cut(checkpoint), { expected: undefined, where })
    expectNone(1, 'nothing has been written')
    writer.write([])
    expectNone(2, 'an empty batch has been written')
    writer.write([subject.record(0)])
    expectSame(writer.cut(3) !== undefined, {
      expected: true,
      where: 'a record has been written, there is a transaction',
    })
    expectNone(4, 'nothing has been written since the last cut')
  },

  'a transaction comes back as it was from its codec and the encoding': async subject => {
    const place = await subject.make()
    const { writer } = await begun(place, { subject })
    writer.write([subject.record(0)])
    const tx = writer.cut(1)?.tx
    expectSame(stored(place.sink(), tx), { expected: tx, where: 'the transaction of one record' })
  },

  'a writer that is full says when it has room': async subject => {
    const { writer } = await begun(await subject.make(), { subject })
    for (let round = 0; round < 3; round++) {
      for (let batch = 0; writer.mayWrite() && batch < batchesMax; batch++)
        writer.write(indexes(100).map(subject.record))
      let asked = writer.mayWrite()
      const ready = writer.ready$.subscribe(() => {
        asked = writer.mayWrite()
      })
      await until(() => asked, {
        ...subject,
        otherwise: () => 'expected ready$ to emit when there is room, received nothing',
      })
      ready.unsubscribe()
    }
  },

  'a closed writer leaves what it has cut to the next start, and nothing else': async subject => {
    const place = await subject.make()
    const life = await begun(place, { subject })
    await life.all('write', 'cut', 'commit', 'write')
    life.close()
    await expectVisible(place, 0, { subject, where: 'after closing' })
    const next = await restarted(place, life, { subject, epoch: 2 })
    next.close()
    await expectVisible(place, 2, { subject, where: 'after the next start' })
    await expectNothingLeft(place, { subject, where: 'after the next start has closed' })
  },

  'at another parallelism, each transaction is published once and by its heir': async subject => {
    for (const [before, after] of [
      [2, 1],
      [1, 2],
      [3, 2],
    ] as const) {
      const place = await subject.make()
      const where = `from ${before} tasks to ${after}`
      const lives = await Promise.all(
        indexes(before).map(index => begun(place, { subject, of: { index, parallelism: before } })),
      )
      for (const life of lives) await life.all('write', 'cut', 'commit', 'write', 'cut')
      const heirs: SinkLife[] = []
      for (const index of indexes(after)) {
        const left = lives.filter((_, former) => former % after === index).flatMap(({ last }) => last.transactions)
        const last = { records: 0, transactions: left }
        heirs.push(await begun(place, { subject, of: { index, parallelism: after }, epoch: 2, checkpoint: 3, last }))
      }
      const expected = indexes(before).flatMap(index => [ofTask(subject, index)(0), ofTask(subject, index)(1)])
      expectSame(sorted(await place.published()), { expected: sorted(expected), where })
      for (const life of [...lives, ...heirs]) life.close()
      await expectNothingLeft(place, { subject, where, tasks: after })
    }
  },
}

/** A crash closes nothing; when the law has been checked, all that it has opened is closed. */
const closing =
  (law: Check): Check =>
  async subject => {
    try {
      await law(subject)
    } finally {
      for (const life of subject.lives) life.close()
    }
  }

/** A first life for each order of steps that the runtime could take. */
const eachLife = async (
  subject: Subject,
  act: (place: SinkPlace<any>, life: SinkLife, steps: readonly Step[]) => Promise<void>,
): Promise<void> => {
  for (const steps of ordersOf(subject.stepsMax)) {
    const place = await subject.make()
    await act(place, await begun(place, { subject }), steps)
  }
}

interface Beginning {
  readonly subject: Subject
  readonly of?: Subtask
  readonly epoch?: number
  readonly checkpoint?: CheckpointId
  readonly last?: Durable
}

const begun = (
  place: SinkPlace<any>,
  { subject, of = { index: 0, parallelism: 1 }, epoch = 1, checkpoint = 1, last = nothing }: Beginning,
): Promise<SinkLife> => {
  const life = new SinkLife({
    sink: place.sink(),
    subtask: of,
    record: ofTask(subject, of.index),
    epoch,
    checkpoint,
    last,
  })
  subject.lives.push(life)
  return life.recover()
}

/** As after a crash: nobody closes what was there. */
const restarted = (
  place: SinkPlace<any>,
  { last, nextCheckpoint }: SinkLife,
  { subject, epoch }: { readonly subject: Subject; readonly epoch: number },
): Promise<SinkLife> => begun(place, { subject, epoch, checkpoint: nextCheckpoint, last })

interface Where {
  readonly subject: Subject
  readonly where: string
}

const expectVisible = async (place: SinkPlace<any>, records: number, { subject, where }: Where): Promise<void> =>
  expectSame(await place.published(), {
    expected: indexes(records).map(ofTask(subject, 0)),
    where: `${where}: visible`,
  })

/**
 * A life that has been dropped is still there in this process: what its work under way makes after its heirs have come is the
 * next start's to discard.
 */
const expectNothingLeft = async (place: SinkPlace<any>, { subject, where, tasks = 1 }: Left): Promise<void> => {
  let left = 0
  const asked = async () => {
    left = (await place.leftBehind?.()) ?? 0
    return left === 0
  }
  const otherwise = () => `${where}: expected nothing left behind, received ${left}`
  const wait = { waitMs: subject.waitMs, otherwise }
  const nextStart = async () => {
    for (const index of indexes(tasks)) {
      const of = { index, parallelism: tasks }
      const life = await begun(place, { subject, of, epoch: lastEpoch, checkpoint: lastEpoch })
      life.close()
    }
  }
  await until(asked, wait).catch(() => nextStart().then(() => until(asked, wait)))
}

interface Left extends Where {
  readonly tasks?: number
}

const ofTask =
  ({ record }: Subject, index: number) =>
  (n: number): unknown =>
    record(recordsOfTask * index + n)

const indexes = (count: number): readonly number[] => [...Array(count).keys()]

const sorted = (records: readonly unknown[]): readonly unknown[] =>
  records.toSorted((a, b) => (shown(a) < shown(b) ? -1 : 1))

const nothing: Durable = { records: 0, transactions: [] }
/** After all others. */
const lastEpoch = 100
/** More than any life writes. */
const recordsOfTask = 1_000
/** Of a hundred records: a writer that is never full is asked no more. */
const batchesMax = 100
