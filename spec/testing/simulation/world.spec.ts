import { Observable } from 'rxjs'
import type { Store } from 'spillway'
import { storeLaws } from 'spillway/testing'
import { describe, expect, test } from 'vitest'
import { canonical } from '../../../lib/testing/simulation/canonical.ts'
import { difference } from '../../../lib/testing/simulation/difference.ts'
import { FaultPlan, meetings, randomFaults } from '../../../lib/testing/simulation/faults.ts'
import { PhaseTracker } from '../../../lib/testing/simulation/phases.ts'
import { Process } from '../../../lib/testing/simulation/process.ts'
import { seeded } from '../../../lib/testing/simulation/random.ts'
import { RunPicture } from '../../../lib/testing/simulation/runPicture.ts'
import { World } from '../../../lib/testing/simulation/world.ts'

const worldOf = (seed: number) => new World(seeded(seed), new FaultPlan([]), { latencyMs: 3, slowness: 0 })

const processIn = (world: World): Process =>
  new Process(world, { checkpoints: { everyMs: 10, timeoutMs: 10 }, link: false, onEnd: () => {}, onRival: () => {} })

/** Time passes while somebody waits. */
const inTime = <T>(world: World, call: Observable<T>): Observable<T> =>
  new Observable(subscriber => {
    const waiting = call.subscribe(subscriber)
    world.run()
    return waiting
  })

const simulatedStore = (seed: number): Store => {
  const world = worldOf(seed)
  const store = world.disk.storeOf(processIn(world))
  return {
    name: store.name,
    put: (object, bytes) => inTime(world, store.put(object, bytes)),
    get: (object, range) => inTime(world, store.get(object, range)),
    list: prefix => inTime(world, store.list(prefix)),
    delete: object => inTime(world, store.delete(object)),
    append: (n, bytes) => inTime(world, store.append(n, bytes)),
    entries: () => inTime(world, store.entries()),
    entry: n => inTime(world, store.entry(n)),
    deleteEntry: n => inTime(world, store.deleteEntry(n)),
  }
}

describe('the simulated store', () => {
  for (const { title, check } of storeLaws('simulated', () => simulatedStore(1))) test(title, check)

  test('what a dead process has put may be there later, or not, but never in part', () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 100; seed++) {
      const world = worldOf(seed)
      const process = processIn(world)
      process.alive = false
      world.disk.storeOf(process).put('a', new Uint8Array(10)).subscribe()
      world.run()
      seen.add(String(world.disk.objects.get('a')?.length))
    }
    expect([...seen].sort()).toEqual(['10', 'undefined'])
  })

  test('after a power failure what has been deleted may be back', () => {
    const seen = new Set<boolean>()
    for (let seed = 0; seed < 50; seed++) {
      const world = worldOf(seed)
      const store = world.disk.storeOf(processIn(world))
      inTime(world, store.put('a', new Uint8Array(1))).subscribe()
      inTime(world, store.delete('a')).subscribe()
      expect(world.disk.objects.size).toBe(0)
      world.disk.loseDeletions()
      seen.add(world.disk.objects.has('a'))
    }
    expect(seen.size).toBe(2)
  })
})

describe('the world behind a simulated sink', () => {
  const written = () => {
    const world = worldOf(3)
    const outside = world.outside('out')
    const task = { subtask: { index: 0, parallelism: 1 }, epoch: 1 }
    const writer = outside.sinkOf(processIn(world)).open(task)
    return { world, outside, writer }
  }
  const breaches: Record<string, (of: ReturnType<typeof written>) => void> = {
    'nothing is written before': ({ writer }) => writer.write([1]),
    '`recover` comes first, and again only if it has failed': ({ writer, world }) => {
      for (let i = 0; i < 2; i++) inTime(world, writer.recover({ publish: [] }) as Observable<void>).subscribe()
    },
    'which it never cut': ({ writer, world }) => {
      inTime(world, writer.recover({ publish: ['out/9'] }) as Observable<void>).subscribe()
    },
    'which is cut': ({ writer, world }) => {
      inTime(world, writer.recover({ publish: [] }) as Observable<void>).subscribe()
      writer.write([1])
      const { tx } = writer.cut(1) as { tx: string }
      inTime(world, writer.publish([tx]) as Observable<void>).subscribe()
    },
    'before checkpoint 1 is durable': ({ writer, world }) => {
      inTime(world, writer.recover({ publish: [] }) as Observable<void>).subscribe()
      writer.write([1])
      const { tx, durable } = writer.cut(1) as { tx: string; durable: Observable<unknown> }
      inTime(world, durable).subscribe()
      inTime(world, writer.publish([tx]) as Observable<void>).subscribe()
    },
    '`close` comes once': ({ writer }) => {
      writer.close()
      writer.close()
    },
  }
  test.each(Object.entries(breaches))('it tells of a breach: %s', (text, breach) => {
    const of = written()
    breach(of)
    expect(of.world.violation).toContain(text)
  })
})

test('a run goes from phase to phase', () => {
  const tracker = new PhaseTracker()
  const seen: string[] = [tracker.phase]
  const barrier = { kind: 'barrier', checkpoint: 1, timestampMs: 0, alignment: 'aligned', savepoint: false } as const
  const snapshot = (task: string, ended: boolean) =>
    ({ kind: 'snapshot', task, ended, checkpoint: ended ? 2 : 1, operators: [], inFlight: [], durable: [] }) as any
  const happenings: (Parameters<PhaseTracker['happened']>[0] | 'runs')[] = [
    ...(['a', 'b'] as const).map(task => ({ kind: 'built', task }) as const),
    'runs',
    { kind: 'trigger', barrier, asked: [['a', 'b']] },
    snapshot('a', false),
    snapshot('b', false),
    { kind: 'commit', checkpoint: 1, parts: [{ tasks: [{ task: 'a' }, { task: 'b' }] as any }] },
    { kind: 'notify', checkpoint: 1, tasks: ['a', 'b'] },
    { kind: 'published', tasks: ['a'], checkpoint: 1 },
    { kind: 'published', tasks: ['b'], checkpoint: 1 },
    { kind: 'trigger', barrier: { ...barrier, checkpoint: 2 }, asked: [['a', 'b']] },
    { kind: 'abort', checkpoint: 2, tasks: ['a', 'b'], latestFinished: new Map(), reason: '' },
    snapshot('a', true),
    snapshot('b', true),
  ]
  for (const happening of happenings) {
    if (happening === 'runs') tracker.runs()
    else tracker.happened(happening)
    if (seen.at(-1) !== tracker.phase) seen.push(tracker.phase)
  }
  expect(seen.join(' ')).toBe(
    'restoring flowing aligning writing committing publishing flowing aligning flowing finishing',
  )
})

test('a fault strikes once, in its phase, after the opportunities that it lets pass', () => {
  const plan = new FaultPlan([{ kind: 'crash', phase: 'writing', after: 2 }])
  const opportunities = ['flowing', 'writing', 'writing', 'writing', 'writing'] as const
  expect(opportunities.map(phase => plan.strikes(phase, 'rival', 'crash'))).toEqual([
    ...[undefined, undefined, undefined],
    'crash',
    undefined,
  ])
  expect(plan.met).toHaveLength(1)
})

test('random faults are of kinds and phases that can meet, and all of them come', () => {
  const drawn = new Set(randomFaults(seeded(5), 3_000).map(({ kind, phase }) => `${kind} ${phase}`))
  expect([...drawn].sort()).toEqual(meetings.map(({ kind, phase }) => `${kind} ${phase}`).sort())
})

test('a run is drawn lane by lane, a column a moment', () => {
  const picture = new RunPicture()
  for (const [atMs, lane, mark] of [
    [1, '0:source/0', '.'],
    [1, '0:source/10', '.'],
    [1, '0:source/2', '.'],
    [2, 'loop', 'T'],
    [2, '0:source/0', '1'],
    [2, '0:source/0', ')'],
    [3, 'store', 'p'],
    [4, 'sink out', 'P'],
    [4, 'faults', 'c'],
  ] as const) {
    picture.note(atMs, lane, mark)
  }
  expect(picture.text({ columnsMax: 100 })).toBe(
    [
      'ms           1.0',
      'faults           c',
      'loop          T',
      '0:source/0   .1)',
      '0:source/2   .',
      '0:source/10  .',
      'store           p',
      'sink out         P',
      '',
    ].join('\n'),
  )
  expect(picture.text({ columnsMax: 2 }).split('\n')[0]).toBe('(3 moments before)')
})

test('values of one content have one text, others another', () => {
  const same: [unknown, unknown][] = [
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [new Map([[1, { a: 1 }]]), new Map([[1, { a: 1 }]])],
    [new Set([2, 1]), new Set([1, 2])],
    [0, -0],
    [new Date(5), new Date(5)],
  ]
  for (const [a, b] of same) expect(canonical(a)).toBe(canonical(b))
  const all = [
    1,
    '1',
    1n,
    true,
    null,
    undefined,
    [1],
    { 0: 1 },
    new Date(1),
    new Map([[0, 1]]),
    new Set([1]),
    Number.NaN,
  ]
  expect(new Set(all.map(canonical)).size).toBe(all.length)
})

test('output differs by what is lost and what is too many', () => {
  const found = new Map([['out', [[1, 1, 3], [4]]]])
  expect(difference(found, new Map([['out', ['1', '1', '3', '4']]]))).toBeUndefined()
  expect(difference(found, new Map([['out', ['1', '2', '3', '4']]]))).toBe(
    ['out published 4 records instead of 4', '  not published: 2', '  too many:      1'].join('\n'),
  )
  expect(difference(new Map(), new Map([['out', ['1']]]))).toBe(
    ['out published 0 records instead of 1', '  not published: 1'].join('\n'),
  )
})
