import { describe, expect, test } from 'vitest'
import { buffer, recovered, type StreamElement, watermark } from '../../lib/element.ts'
import { type Frame, gateState, lined, ofNoKey, ownState } from '../../lib/snapshot/frame.ts'
import { dealtGenerations } from '../../lib/snapshot/redistribution/generations.ts'
import { redistributed } from '../../lib/snapshot/redistribution/redistributed.ts'
import type { Spread, SpreadInput } from '../../lib/snapshot/redistribution/spread.ts'
import type { RestoredTask } from '../../lib/snapshot/snapshot.ts'
import type { BroadcastLine } from '../../lib/state/broadcastLines.ts'
import { subtaskOf } from '../../lib/state/keyGroups.ts'

const keyGroups = 12
type Exchange = SpreadInput['exchange']

const spread = (before: number, after: number, exchanges: readonly Exchange[] = []): Spread => ({
  before,
  after,
  keyGroups,
  inputs: exchanges.map(exchange => ({
    exchange,
    producers: after,
    joined: (from, to) => (exchange !== 'forward' && exchange !== 'rescale') || from === to,
    tasksOf: records => records.map(record => (record as string).length % after),
  })),
  generations: { before: 0, count: 1, of: () => 0 },
  taskOfSplit: split => (split.startsWith('s') ? Number(split.slice(1)) % after : undefined),
})
const task = (kept: Record<string, unknown>, inFlight: RestoredTask['inFlight'] = []): RestoredTask => ({
  ended: false,
  operators: new Map([['of', { kept, tables: new Map() }]]),
  inFlight,
})
const isBuffer = ({ kind }: StreamElement<unknown>) => kind === 'buffer'
const keptOf = (tasks: readonly RestoredTask[]) => tasks.map(({ operators }) => operators.get('of')?.kept)
const changes = [1, 2, 3, 4, 7].flatMap(before => [1, 2, 3, 4, 7].map(after => [before, after] as const))

test.each(changes)('from %i to %i: every split has one position, at its task', (before, after) => {
  const old = Array.from({ length: before }, (_, i) =>
    task({ '(split) position': [0, 1, 2].map(n => [`s${i + n * before}`, i + n * before]) }),
  )
  const shares = keptOf(redistributed(old, spread(before, after))).map(kept => kept?.['(split) position'] ?? [])
  const found = shares.flatMap((share, index) => (share as [string, number][]).map(([split, n]) => [split, n, index]))
  expect(found.toSorted()).toEqual(Array.from({ length: 3 * before }, (_, n) => [`s${n}`, n, n % after]).toSorted())
})

test.each(changes)('from %i to %i: every transaction is given to one task, the heir', (before, after) => {
  const old = Array.from({ length: before }, (_, i) => task({ [ownState.transactions]: [{ checkpoint: 1, tx: i }] }))
  const shares = keptOf(redistributed(old, spread(before, after))).map(kept => kept?.[ownState.transactions])
  const found = shares.flatMap((share, index) => (share as { tx: number }[]).map(({ tx }) => [tx, index]))
  expect(found.toSorted()).toEqual(Array.from({ length: before }, (_, i) => [i, i % after]).toSorted())
})

test.each(changes)('from %i to %i: no key group has a lower watermark than before', (before, after) => {
  const old = Array.from({ length: before }, (_, i) => task({ [ownState.watermark]: 10 + ((i * 5) % 7) }))
  const shares = keptOf(redistributed(old, spread(before, after)))
  for (let group = 0; group < keyGroups; group++) {
    const kept = shares[subtaskOf(group, { groups: keyGroups, parallelism: after })] ?? {}
    const above = new Map((kept[ownState.groupWatermarks] ?? []) as [number, number][])
    const owner = subtaskOf(group, { groups: keyGroups, parallelism: before })
    expect(above.get(group) ?? kept[ownState.watermark]).toBe(10 + ((owner * 5) % 7))
  }
})

test.each(changes)('from %i to %i: a forward channel stays whole, in order, at one task', (before, after) => {
  const old = Array.from({ length: before }, (_, i) =>
    task({}, [{ input: 0, from: i, elements: [buffer([`${i}a`, `${i}b`]), watermark(5), buffer([`${i}c`])] }]),
  )
  const shares = redistributed(old, spread(before, after, ['forward']))
  shares.forEach(({ inFlight }, index) => {
    const heirs = Array.from({ length: before }, (_, i) => i).filter(i => i % after === index)
    const elements = [buffer(heirs.flatMap(i => [`${i}a`, `${i}b`, `${i}c`]))]
    expect(inFlight).toEqual(heirs.length === 0 ? [] : [{ input: 0, from: index, generation: 0, elements }])
  })
})

test.each(changes)(
  'from %i to %i: records behind a keyed exchange go to the owners of their groups, once',
  (before, after) => {
    const groups = Uint16Array.from({ length: keyGroups }, (_, group) => group)
    const old = Array.from({ length: before }, (_, i) => {
      const own = groups.filter(group => subtaskOf(group, { groups: keyGroups, parallelism: before }) === i)
      return task({}, [{ input: 0, from: 0, elements: [buffer([...own], { groups: own })] }])
    })
    const shares = redistributed(old, spread(before, after, ['keyed']))
    const found = shares.flatMap(({ inFlight }, index) =>
      inFlight.flatMap(({ elements }) =>
        elements.flatMap(of => (of.kind === 'buffer' ? of.records.map(record => [record, index]) : [])),
      ),
    )
    const owned = [...groups].map(group => [group, subtaskOf(group, { groups: keyGroups, parallelism: after })])
    expect(found.toSorted()).toEqual(owned.toSorted())
  },
)

/** Where the records of two old tasks' channels are afterwards: by record, its new task. */
const placesOf = (exchange: Exchange, after: number): readonly (readonly [unknown, number])[] => {
  const old = [0, 1].map(i =>
    task({}, [{ input: 0, from: i, elements: [buffer([`${i}`, `${i}xx`]), buffer([`${i}x`])] }]),
  )
  return redistributed(old, spread(2, after, [exchange])).flatMap(({ inFlight }, index) =>
    inFlight.flatMap(({ elements }) =>
      elements.flatMap(of => (of.kind === 'buffer' ? of.records.map(record => [record, index] as const) : [])),
    ),
  )
}

test.each([
  ['rescale: an old channel stays whole', 'rescale', '0:0 0xx:0 0x:0 1:1 1xx:1 1x:1'],
  ["broadcast: an old task's line goes to its heir alone", 'broadcast', '0:0 0xx:0 0x:0 1:1 1xx:1 1x:1'],
  ['global: all goes to the first task', 'global', '0:0 0xx:0 0x:0 1:0 1xx:0 1x:0'],
  ['custom: each record goes where the partitioner says now', 'custom', '0xx:0 1xx:0 0:1 1:1 0x:2 1x:2'],
] as const)('from 2 to 3, %s', (_, exchange, expected) => {
  expect(
    placesOf(exchange, 3)
      .map(([record, index]) => `${record}:${index}`)
      .join(' '),
  ).toBe(expected)
})

test('what a broadcast alone changes goes on from the line of the first old task, everywhere', () => {
  const broadcast = { operator: 'of', effect: 'broadcastState' } as const
  const old = [
    task({ rules: 'of 3' }, [{ input: 1, from: 0, elements: [buffer(['4', '5'])] }]),
    task({ rules: 'of 4' }, [{ input: 1, from: 0, elements: [buffer(['5'])] }]),
  ]
  const shares = redistributed(old, { ...spread(2, 3, ['keyed', 'broadcast']), broadcast })
  expect(keptOf(shares)).toEqual([{ rules: 'of 3' }, { rules: 'of 3' }, { rules: 'of 3' }])
  for (const { inFlight } of shares) {
    const elements = inFlight.filter(({ input }) => input === 1).flatMap(data => data.elements)
    expect(elements.flatMap(element => (element.kind === 'buffer' ? element.records : []))).toEqual(['4', '5'])
  }
})

describe('what a broadcast changes of keys and results goes on from the line of every old task', () => {
  const broadcast = { operator: 'of', effect: 'keysAndResults' } as const
  const dealt = (old: readonly RestoredTask[], after: number) =>
    redistributed(old, { ...spread(old.length, after, ['keyed', 'broadcast']), broadcast })
  const rules = (...records: string[]) => [{ input: 1, from: 0, elements: [buffer(records)] }]
  /** `1!:4+2` line 1 begins with record 4, of whose results 2 are skipped; ! what belongs to no key comes out. */
  const workOf = (of: RestoredTask | undefined): string => {
    const frame = of?.operators.get('of')?.kept[ownState.frame] as Frame | undefined
    return [...(frame === undefined ? [] : [frame, ...frame.more])]
      .map(({ work, delivered }) =>
        work.kind === 'records'
          ? `${work.line?.number}${work.line?.emits ? '!' : ''}:${work.buffer.records.join('')}${delivered > 0 ? `+${delivered}` : ''}`
          : '',
      )
      .join(' ')
  }
  /** `[0,6)=a` a line of these groups, with its broadcast state. */
  const linesOf = (of: RestoredTask | undefined): string => {
    const kept = of?.operators.get('of')?.kept ?? {}
    const values = kept[lined('rules')] as readonly string[]
    return (kept[ownState.lines] as readonly BroadcastLine[])
      .map(({ begin, end }, i) => `[${begin},${end})=${values[i]}`)
      .join(' ')
  }
  const skewed = () => [task({ rules: 'abc' }, rules('d', 'e')), task({ rules: 'a' }, rules('b', 'c', 'd', 'e'))]

  test('with its state, at the owners of its key groups, of which one emits', () => {
    const shares = dealt(skewed(), 3)
    expect(shares.map(linesOf)).toEqual(['[0,4)=abc', '[4,6)=abc [6,8)=a', '[8,12)=a'])
    expect(shares.map(workOf)).toEqual(['0!:de', '0:de 1!:bcde', '0:bcde'])
    expect(shares.flatMap(({ inFlight }) => inFlight.flatMap(({ elements }) => elements)).some(isBuffer)).toBe(false)
  })

  test('a call that had been left skips of its results what its keys, and where it emits what none, had given', () => {
    const work = { kind: 'records', buffer: buffer(['b', 'c']), next: 0 } as const
    const shares = [
      [ofNoKey, 1],
      [1, 2],
      [5, 4],
    ] as const
    const frame: Frame = { work, delivered: 7, shares, more: [], pending: [] }
    const old = [task({ rules: 'a', [ownState.frame]: frame }, rules('d')), task({ rules: 'abcd' })]
    expect(dealt(old, 3).map(workOf)).toEqual(['0!:bc+3 0!:d', '0:bc+4 0:d', ''])
  })

  test('also of the lines that a task was still going on with, once more', () => {
    const once = dealt(skewed(), 3)
    const again = dealt(
      once.map((of, index) => ({ ...of, inFlight: rules('f', String(index)) })),
      2,
    )
    expect(again.map(linesOf)).toEqual(['[0,4)=abc [4,6)=abc', '[6,8)=a [8,12)=a'])
    expect(again.map(workOf)).toEqual(['0!:de 0!:f0 1:de 1!:f1', '0!:bcde 0:f1 1:bcde 1!:f2'])
  })
})

test('every channel waits for the markers of all generations; if nothing was in flight, for none', () => {
  const of = spread(1, 3, ['keyed', 'forward'])
  const gateOf = (count: number) => {
    const [first] = redistributed([task({})], { ...of, generations: { ...of.generations, count } })
    return first?.operators.get(gateState.operator)?.kept
  }
  expect(gateOf(2)).toEqual({ generations: { count: 2, generation: 0, delivered: [0, 0, 0, 0] } })
  expect(gateOf(0)).toBeUndefined()
})

describe('generations', () => {
  const at = (generation: number | undefined, ...elements: StreamElement<unknown>[]) => ({
    ...{ input: 0, from: 0, generation, elements },
  })
  const inGeneration = (generation: number, ...inFlight: RestoredTask['inFlight']): RestoredTask => ({
    ...task({}, inFlight),
    operators: new Map([
      [
        gateState.operator,
        { kept: { generations: { count: 2, generation, delivered: [generation] } }, tables: new Map() },
      ],
    ]),
  })
  const [a, b] = [buffer(['a']), buffer(['b'])]

  test('of what was in flight the deeper in the job is the older', () => {
    const dealt = dealtGenerations([
      { id: 'source', depth: 0, tasks: [task({})] },
      { id: 'first', depth: 1, tasks: [task({}, [at(undefined, a)])] },
      { id: 'second', depth: 2, tasks: [task({}), task({}, [at(undefined, b)])] },
    ])
    expect(dealt.get('first')).toMatchObject({ before: 0, count: 2 })
    expect([dealt.get('second')?.of(0), dealt.get('first')?.of(0)]).toEqual([0, 1])
  })

  test('what was of an older one before, in whatever task, comes before what was of a newer one', () => {
    const dealt = dealtGenerations([
      { id: 'first', depth: 1, tasks: [inGeneration(0, at(0, a, recovered(0), b)), inGeneration(1, at(1, a))] },
      { id: 'second', depth: 2, tasks: [inGeneration(0, at(1, a)), task({}, [at(undefined, b)])] },
    ])
    const [first, second] = [dealt.get('first'), dealt.get('second')]
    expect(first).toMatchObject({ before: 2, count: 4 })
    expect([first?.of(0), second?.of(1), first?.of(1), second?.of(2)]).toEqual([0, 1, 2, 3])
  })

  test('what was left to do in an operator is of the generation that its task was in, or of its own', () => {
    const work = (record: string) => ({
      work: { kind: 'records', buffer: buffer([record]), next: 0 } as const,
      delivered: 0,
    })
    const frame = (more: Frame['more']): Frame => ({ ...work('x'), more, pending: [] })
    const suspended = (generation: number, of: Frame): RestoredTask => {
      const { operators, ...rest } = inGeneration(generation)
      return {
        ...rest,
        operators: new Map([...operators, ['of', { kept: { [ownState.frame]: of }, tables: new Map() }]]),
      }
    }
    const tasks = [suspended(1, frame([])), suspended(0, frame([{ ...work('y'), generation: 1 }]))]
    const generations = dealtGenerations([{ id: 'one', depth: 1, tasks }]).get('one') as Spread['generations']
    const [share] = redistributed(tasks, { ...spread(2, 1), generations })
    const dealt = share?.operators.get('of')?.kept[ownState.frame] as Frame
    expect(
      [dealt, ...dealt.more].map(({ work, generation }) => [
        work.kind === 'records' && work.buffer.records,
        generation,
      ]),
    ).toEqual([
      [['x'], undefined],
      [['x'], 1],
      [['y'], 1],
    ])
  })
})

test('an end that only some have handled, and state of a whole task, are refused', () => {
  expect(() => redistributed([task({ [ownState.end]: 'handled' }), task({})], spread(2, 1))).toThrow(
    'PARALLELISM_CHANGED',
  )
  expect(() => redistributed([task({ sum: 1 })], spread(1, 2))).toThrow(
    expect.objectContaining({
      code: 'PARALLELISM_CHANGED',
      place: 'operator of',
      message: expect.stringContaining('state sum belongs to a whole task'),
      remedy: expect.stringContaining('the parallelism that the store was written at'),
    }),
  )
})
