import * as t from 'io-ts'
import { keyedWithBroadcast, memoryStore, operator, type Pipeline, type Sink, stream } from 'spillway'
import { broadcast, fromArray, into, keyBy } from 'spillway/operators'
import { describe, expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { slowCollect, stepped, turnsOf } from './restored.ts'

/** From `first` up to, but not including, `end`. */
const range = (end: number, first = 0) => Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i)

const rules = range(24)
const options = { checks: true, channels: { buffersMax: 2, bufferRecordsMax: 4 } }

/** `restored`: it goes on at another parallelism, and is not stopped again. */
type Run = 'stopped' | 'restored'
type Build = (run: Run, sink: Sink<string>) => Pipeline

interface Change {
  readonly before: number
  readonly after: number
  readonly alignment: 'aligned' | 'unaligned'
  readonly halves: boolean
}

interface Changed {
  readonly out: readonly string[]
  /** Broadcast state of the old tasks in the checkpoint, if the job has some. */
  readonly cut: readonly unknown[]
  /** The same of the new ones in their last. */
  readonly last: readonly unknown[]
}

/** Stops the job at a checkpoint taken in this turn, and runs it to its end at the other parallelism. Undefined: it ended before. */
const changed = async (
  build: Build,
  { turn, before, after, alignment, halves }: Change & { readonly turn: number },
): Promise<Changed | undefined> => {
  const [store, out] = [memoryStore(), [] as string[]]
  const sink = slowCollect(out, { macrotasks: 2 })
  const started = (run: Run, parallelism: number, onTurn: (turn: number) => void) => {
    const known: unknown[] = []
    const job = runIn(
      {
        ...stepped(onTurn, halves),
        observe: of => {
          if (of.kind !== 'snapshot') return
          const ruled = of.operators.find(({ operator }) => operator === 'ruled')
          if (ruled !== undefined) known[Number(of.task.split('/')[1])] = ruled.kept.known
        },
      },
      build(run, sink),
      { ...options, parallelism, store },
    )
    return { job, known }
  }
  let stopping: Promise<boolean> | undefined
  const stopped = started('stopped', before, at => {
    if (at !== turn) return
    stopping = stopped.job.triggerCheckpoint({ alignment }).then(
      async () => {
        await stopped.job.cancel()
        return true
      },
      () => false,
    )
  })
  await stopped.job.done.catch(() => {})
  if ((await stopping) !== true) return undefined
  const restored = started('restored', after, () => {})
  await restored.job.done
  return { out, cut: stopped.known, last: restored.known }
}

/** Stopped in many turns, one after the other, and looked at; gives how often it was. */
const eachChanged = async (
  build: Build,
  change: Change,
  check: (of: Changed, place: string) => void,
): Promise<{ readonly resumed: number; readonly tried: number }> => {
  const { before: parallelism, halves } = change
  const all = await turnsOf([build('stopped', slowCollect<string>([], { macrotasks: 2 }))], {
    ...options,
    ...{ parallelism, halves },
  })
  const step = Math.max(1, Math.floor(all / 25))
  let [resumed, tried] = [0, 0]
  for (let turn = 1; turn <= all; turn += step) {
    tried++
    const of = await changed(build, { ...change, turn })
    if (of === undefined) continue
    resumed++
    check(of, `stopped in turn ${turn}`)
  }
  return { resumed, tried }
}

const changes: readonly (Change & { readonly form: string })[] = ['one queue', 'two halves'].flatMap(form =>
  (['aligned', 'unaligned'] as const).flatMap(alignment =>
    (
      [
        [2, 3],
        [3, 2],
        [1, 4],
      ] as const
    ).map(([before, after]) => ({ form, alignment, before, after, halves: form === 'two halves' })),
  ),
)

/** What each task of a run has met, in order. */
type Met = Map<number, number[]>

const meets = (met: Met, { task, rule }: { readonly task: number; readonly rule: number }) =>
  void met.set(task, [...(met.get(task) ?? []), rule])

// Broadcast state alone: that of the first old task, with what the same task had still to do, is everybody's.

/** One key has most of the records: its task is far behind with the rules. */
const keyed = [...range(20), ...range(60).map(() => 0)]

const ruled =
  (met: Met): Build =>
  (run, sink) =>
    keyedWithBroadcast<number, number, number, string>(
      'ruled',
      stream(fromArray(keyed, { name: 'records', splits: 2 })).pipe(keyBy(key => key)),
      stream(fromArray(rules, { name: 'rules' }), { parallelism: 1 }).pipe(broadcast()),
      ({ state, broadcastState, subtask }) => {
        const count = state.value('count', t.number, 0)
        const known = broadcastState.value<readonly number[]>('known', t.readonlyArray(t.number), [])
        return {
          record: (key, out) => out.emit(`record ${count.update(n => n + 1)} of ${key}`),
          broadcast(rule) {
            known.update(before => [...before, rule])
            if (run === 'restored') meets(met, { task: subtask.index, rule })
          },
        }
      },
      { effect: 'broadcastState' },
    ).pipe(into(sink))

const counted = range(20).flatMap(key => range(key === 0 ? 61 : 1).map(n => `record ${n + 1} of ${key}`))

describe.each(changes)('$alignment, from $before tasks to $after, channels of $form:', change => {
  const { before, after, alignment } = change

  test("each task goes on with the first old task's broadcast state, and meets the rules that that one had still to meet, in order", async () => {
    const met: Met = new Map()
    let [underWay, apart] = [0, 0]
    const { resumed, tried } = await eachChanged(ruled(met), change, ({ out, cut, last }, place) => {
      expect(out.toSorted(), place).toEqual(counted.toSorted())
      const lengths = cut.map(known => (known as readonly number[]).length)
      expect(cut, place).toEqual(lengths.map(length => range(length)))
      const left = range(rules.length, lengths[0])
      for (const task of range(after)) expect(met.get(task) ?? [], `${place}: task ${task}`).toEqual(left)
      expect(last, place).toEqual(range(after).map(() => rules))
      met.clear()
      if (left.length > 0 && left.length < rules.length) underWay++
      if (new Set(lengths).size > 1) apart++
    })
    expect(resumed).toBeGreaterThan(tried / 3)
    expect(underWay).toBeGreaterThan(2)
    // Barriers that wait for one another come behind the same rules in all tasks.
    if (alignment === 'aligned') expect(apart).toBe(0)
    else if (before > 1) expect(apart).toBeGreaterThan(2)
  })

  // Without broadcast state nothing says that tasks are equal. What was sent before the cut is done once for each old task, by that
  // one or its heir, task i mod the new parallelism, in the order in which that task had to do it and before anything newer; what
  // is sent after it is done once in each new task. So a record comes out as often as there were tasks when it was sent, and
  // a new task need not meet what was sent before.
  test('without broadcast state each record comes out once for each task that there was when it was sent', async () => {
    const met: Met = new Map()
    let [underWay, inFlight] = [0, 0]
    const { resumed, tried } = await eachChanged(placed(met), change, ({ out }, place) => {
      const times = rules.map(rule => out.filter(of => of.split(' ')[1] === `${rule}`).length)
      const sent = times.filter(count => count === before).length
      expect(times, place).toEqual(rules.map(rule => (rule < sent ? before : after)))
      const doneBefore = range(before).map(task =>
        out.filter(of => of.startsWith('stopped') && of.endsWith(`@${task}`)),
      )
      for (const [task, done] of doneBefore.entries()) {
        expect(done, `${place}: old task ${task}`).toEqual(range(done.length).map(rule => `stopped ${rule} @${task}`))
      }
      for (const task of range(after)) {
        const inherited = doneBefore.filter((_, old) => old % after === task).map(({ length }) => length)
        const all = met.get(task) ?? []
        const newer = all.filter(rule => rule >= sent)
        expect(newer, `${place}: task ${task}`).toEqual(range(rules.length, sent))
        expect(all.slice(all.length - newer.length), `${place}: what is newer comes last in task ${task}`).toEqual(
          newer,
        )
        const left = leftOf(inherited, all.slice(0, all.length - newer.length))
        expect(left, `${place}: task ${task}`).toEqual(inherited.map(() => sent))
      }
      if (sent > 0 && sent < rules.length) underWay++
      if (doneBefore.some(({ length }) => length < sent)) inFlight++
      met.clear()
    })
    expect(resumed).toBeGreaterThan(tried / 3)
    expect(underWay).toBeGreaterThan(2)
    if (alignment === 'aligned') expect(inFlight).toBe(0)
    else expect(inFlight).toBeGreaterThan(2)
  })
})

const placed =
  (met: Met): Build =>
  (run, sink) =>
    stream(fromArray(rules, { name: 'rules' }), { parallelism: 1 }).pipe(
      broadcast(),
      operator<number, string>(
        'placed',
        ({ subtask }) => ({
          record(rule, out) {
            if (run === 'restored') meets(met, { task: subtask.index, rule })
            out.emit(`${run} ${rule} @${subtask.index}`)
          },
        }),
        { stateful: false },
      ),
      into(sink),
    )

/** How far each of these lines, which begin there, has come with what was met of all of them, each in its order. */
const leftOf = (begins: readonly number[], met: readonly number[]): readonly number[] => {
  const next = [...begins]
  for (const rule of met) {
    const line = next.indexOf(rule)
    if (line < 0) throw new Error(`rule ${rule} comes where ${next} are next`)
    next[line] = rule + 1
  }
  return next
}
