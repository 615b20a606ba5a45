import { EMPTY } from 'rxjs'
import { named, type Pipeline, Stream, stream } from 'spillway'
import {
  broadcast,
  collect,
  eventTime,
  filter,
  flatMap,
  fromArray,
  global,
  into,
  keyBy,
  map,
  mean,
  partition,
  rebalance,
  rescale,
  scan,
  tumblingWindow,
  union,
} from 'spillway/operators'
import { expect, test } from 'vitest'
import { type Plan, plan } from '../../lib/graph/plan.ts'

const numbers = (name = 'numbers') => stream(fromArray([1, 2, 3], { name }))
const sink = (name = 'out') => named(name, into(collect<any>()))
const sum = <T extends number>() => scan<T, any, number>((total, n) => total + n, 0)

/** `0:numbers (numbers map -> out)` a stage, its operators and its sinks; `0:numbers =keyed=> 1:scan` an edge. */
const picture = ({ stages, edges }: Plan): readonly string[] => [
  ...stages.map(({ id, nodes, pipelines }) => {
    const sinks = pipelines.map(({ name }) => ` -> ${name}`).join('')
    return `${id} (${nodes.map(({ name }) => name).join(' ')}${sinks})`
  }),
  ...edges.map(
    ({ from, to, exchange, input }) => `${from.id} =${exchange}=> ${to.id}${input === 0 ? '' : ` input ${input}`}`,
  ),
]

const cases: readonly (readonly [claim: string, pipelines: () => readonly Pipeline[], picture: readonly string[]])[] = [
  [
    'operators without an exchange between them are one stage',
    () => [
      numbers().pipe(
        map(n => n + 1),
        filter(n => n > 1),
        sink(),
      ),
    ],
    ['0:numbers (numbers map filter -> out)'],
  ],
  [
    'an exchange cuts behind its operator',
    () => [
      numbers().pipe(
        map(n => n + 1),
        keyBy(n => n),
        sum(),
        rebalance(),
        map(n => n),
        sink(),
      ),
    ],
    [
      '0:numbers (numbers map keyBy)',
      '1:scan (scan rebalance)',
      '2:map#2 (map#2 -> out)',
      '0:numbers =keyed=> 1:scan',
      '1:scan =rebalance=> 2:map#2',
    ],
  ],
  [
    'a sink directly behind an exchange is a stage',
    () => [numbers().pipe(rebalance(), sink())],
    ['0:numbers (numbers rebalance)', '1:out ( -> out)', '0:numbers =rebalance=> 1:out'],
  ],
  [
    'an operator with several inputs begins a stage',
    () => [
      union(numbers('left'), numbers('right')).pipe(
        map(n => n),
        sink(),
      ),
    ],
    [
      '0:left (left)',
      '1:right (right)',
      '2:union (union map -> out)',
      '0:left =forward=> 2:union',
      '1:right =forward=> 2:union input 1',
    ],
  ],
  [
    'an input may come by an exchange, and the same stream may come twice',
    () => {
      const dealt = numbers().pipe(rebalance())
      return [union(dealt, dealt).pipe(sink())]
    },
    [
      '0:numbers (numbers rebalance)',
      '1:union (union -> out)',
      '0:numbers =rebalance=> 1:union',
      '0:numbers =rebalance=> 1:union input 1',
    ],
  ],
  [
    'branches of a stage come by an edge each, and a union in a union is a stage of its own',
    () => {
      const trunk = numbers()
      const [even, negative] = [trunk.pipe(filter(n => n % 2 === 0)), trunk.pipe(map(n => -n))]
      return [union(union(even, negative), trunk).pipe(sink())]
    },
    [
      '0:numbers (numbers filter map)',
      '1:union (union)',
      '2:union#2 (union#2 -> out)',
      '0:numbers =forward=> 1:union',
      '0:numbers =forward=> 1:union input 1',
      '1:union =forward=> 2:union#2',
      '0:numbers =forward=> 2:union#2 input 1',
    ],
  ],
  [
    'a union may have keyed inputs and side outputs',
    () => {
      const results = late()
      const keyed = numbers('others').pipe(keyBy(n => n))
      return [union(results, results.side('late'), keyed).pipe(sink())]
    },
    [
      '0:numbers (numbers eventTime keyBy)',
      '1:tumblingWindow (tumblingWindow)',
      '2:others (others keyBy#2)',
      '3:union (union -> out)',
      '0:numbers =keyed=> 1:tumblingWindow',
      '1:tumblingWindow =forward=> 3:union',
      '1:tumblingWindow =forward=> 3:union input 1',
      '2:others =keyed=> 3:union input 2',
    ],
  ],
  [
    'a union of one stream adds nothing',
    () => [union(numbers()).pipe(eventTime({ timeMs: n => n, outOfOrderMs: 0 }), sink())],
    ['0:numbers (numbers eventTime -> out)'],
  ],
  [
    'a stream with two consumers runs once, in one stage with both',
    () => {
      const shared = numbers().pipe(map(n => n))
      return [
        shared.pipe(
          filter(n => n > 1),
          sink('large'),
        ),
        shared.pipe(sink('all')),
      ]
    },
    ['0:numbers (numbers map filter -> large -> all)'],
  ],
  [
    'a stream with two consumers behind an exchange has a stage for each',
    () => {
      const keyed = numbers().pipe(keyBy(n => n))
      return [keyed.pipe(named('sums', sum()), sink('a')), keyed.pipe(named('others', sum()), sink('b'))]
    },
    [
      '0:numbers (numbers keyBy)',
      '1:sums (sums -> a)',
      '2:others (others -> b)',
      '0:numbers =keyed=> 1:sums',
      '0:numbers =keyed=> 2:others',
    ],
  ],
  [
    'a side output is read in the stage of its operator',
    () => {
      const windows = numbers().pipe(
        eventTime({ timeMs: n => n, outOfOrderMs: 0 }),
        keyBy(n => n),
        tumblingWindow(
          { sizeMs: 10, late: 'side' },
          mean(n => n),
        ),
      )
      return [windows.pipe(sink('results')), windows.side('late').pipe(sink('late'))]
    },
    [
      '0:numbers (numbers eventTime keyBy)',
      '1:tumblingWindow (tumblingWindow -> results -> late)',
      '0:numbers =keyed=> 1:tumblingWindow',
    ],
  ],
  [
    'operators without state are told apart by numbers, also from one with state',
    () => [
      numbers().pipe(
        named(
          'x',
          flatMap(n => [n]),
        ),
        named(
          'x',
          map(n => n),
        ),
        keyBy(n => n),
        named('x', sum()),
        named(
          'out',
          filter(n => n > 1),
        ),
        sink(),
      ),
    ],
    ['0:numbers (numbers x#2 x#3 keyBy)', '1:x (x out#2 -> out)', '0:numbers =keyed=> 1:x'],
  ],
  [
    'sources that nothing joins are parts of one plan',
    () => [numbers('a').pipe(sink('x')), numbers('b').pipe(sink('y'))],
    ['0:a (a -> x)', '1:b (b -> y)'],
  ],
]

test.each(cases)('%s', (_, pipelines, expected) => {
  expect(picture(plan(pipelines()))).toEqual(expected)
})

const parallel: readonly (readonly [claim: string, pipelines: () => readonly Pipeline[], tasks: string])[] = [
  [
    'a stage has as many tasks as the job says, or its source, or the exchange before it',
    () => [
      stream(fromArray([1], { name: 'numbers' }), { parallelism: 2 }).pipe(
        map(n => n),
        keyBy(n => n, { parallelism: 3 }),
        sum(),
        rebalance(),
        map(n => n),
        rescale({ parallelism: 4 }),
        sink(),
      ),
    ],
    'numbers 2, scan 3, map#2 7, out 4',
  ],
  [
    'what comes forward comes from as many tasks, and the others follow',
    () => [
      union(
        numbers('a').pipe(
          global({ parallelism: 2 }),
          map(n => n),
        ),
        numbers('b').pipe(broadcast()),
        numbers('c').pipe(partition(n => n, { parallelism: 2 })),
      ).pipe(sink()),
    ],
    'a 7, map 2, b 7, c 7, union 2',
  ],
  [
    'sources of other parallelism are read by a union of as many tasks',
    () => [
      union(
        stream(fromArray([1], { name: 'a' }), { parallelism: 2 }),
        stream(fromArray([1], { name: 'b' }), { parallelism: 2 }),
      ).pipe(sink()),
    ],
    'a 2, b 2, union 2',
  ],
]

test.each(parallel)('%s', (_, pipelines, tasks) => {
  const { stages } = plan(pipelines(), { parallelism: 7 })
  expect(stages.map(({ id, parallelism }) => `${id.slice(2)} ${parallelism}`).join(', ')).toBe(tasks)
})

test('a stage is aligned-only if one of its exchanges is', () => {
  const one = numbers('a').pipe(rebalance({ alignedOnly: true }))
  const { stages } = plan([
    union(one, numbers('b').pipe(rebalance())).pipe(
      keyBy(n => n),
      sum(),
      sink(),
    ),
  ])
  expect(stages.map(({ id, alignedOnly }) => `${id.slice(2)} ${alignedOnly}`)).toEqual([
    'a false',
    'b false',
    'union true',
    'scan false',
  ])
})

test.each([0, 1.5, -1, Number.NaN])('parallelism %d is refused where it is said', parallelism => {
  const refused = expect.objectContaining({ code: 'INVALID_OPTION' })
  expect(() => numbers().pipe(rebalance({ parallelism }))).toThrow(refused)
  expect(() => numbers().pipe(keyBy(n => n, { parallelism }))).toThrow(refused)
  expect(() => stream(fromArray([1]), { parallelism })).toThrow(refused)
})

test('pipelines that are planned again have the same plan', () => {
  const pipelines = [
    numbers().pipe(
      map(n => n),
      map(n => n),
      map(n => n),
      sink(),
    ),
  ]
  expect(picture(plan(pipelines))).toEqual(picture(plan(pipelines)))
})

test('the inputs and outputs of a stage are its edges', () => {
  const { stages, edges } = plan([union(numbers('a'), numbers('b')).pipe(sink())])
  const [a, b, joined] = stages
  expect(joined?.inputs).toEqual(edges)
  expect([a?.outputs, b?.outputs, joined?.outputs]).toEqual([[edges[0]], [edges[1]], []])
  expect([a?.source?.name, b?.source?.name, joined?.source]).toEqual(['a', 'b', undefined])
})

const late = () =>
  numbers().pipe(
    eventTime({ timeMs: n => n, outOfOrderMs: 0 }),
    keyBy(n => n),
    tumblingWindow(
      { sizeMs: 10, late: 'side' },
      mean(n => n),
    ),
  )

const refusals: readonly (readonly [
  claim: string,
  code: string,
  place: string,
  pipelines: () => readonly Pipeline[],
])[] = [
  ['nothing to run', 'NO_PIPELINE', 'run', () => []],
  [
    'a pipeline without a source',
    'NO_SOURCE',
    'hand-made',
    () => [new Stream({ name: 'hand-made', inputs: [] }, () => EMPTY).pipe(sink())],
  ],
  [
    'two stateful operators of one name',
    'DUPLICATE_NAME',
    'scan',
    () => [
      numbers().pipe(
        keyBy(n => n),
        sum(),
        keyBy(n => n),
        sum(),
        sink(),
      ),
    ],
  ],
  [
    'two sources of one name',
    'DUPLICATE_NAME',
    'numbers',
    () => [numbers().pipe(sink('x')), numbers().pipe(sink('y'))],
  ],
  ['two sinks of one name', 'DUPLICATE_NAME', 'x', () => [numbers('a').pipe(sink('x')), numbers('b').pipe(sink('x'))]],
  [
    'a sink named like a stateful operator',
    'DUPLICATE_NAME',
    'scan',
    () => [
      numbers().pipe(
        keyBy(n => n),
        sum(),
        sink('scan'),
      ),
    ],
  ],
  ['a side output that nobody reads', 'SIDE_NOT_READ', 'tumblingWindow', () => [late().pipe(sink())]],
  [
    'a union of what comes forward from different numbers of tasks',
    'PARALLELISM_CONFLICT',
    'union',
    () => [union(stream(fromArray([1], { name: 'a' }), { parallelism: 2 }), numbers('b')).pipe(sink())],
  ],
  [
    'a union of exchanges that say different numbers of tasks',
    'PARALLELISM_CONFLICT',
    'union',
    () => [
      union(
        numbers('a').pipe(rebalance({ parallelism: 2 })),
        numbers('b').pipe(keyBy(n => n, { parallelism: 3 })),
      ).pipe(sink()),
    ],
  ],
  [
    'a keyed stage of more tasks than there are key groups',
    'PARALLELISM_TOO_LARGE',
    'scan',
    () => [
      numbers().pipe(
        keyBy(n => n, { parallelism: 129 }),
        sum(),
        sink(),
      ),
    ],
  ],
  [
    'event time behind an exchange',
    'EVENT_TIME_NOT_PER_SPLIT',
    'eventTime',
    () => [numbers().pipe(rebalance(), eventTime({ timeMs: n => n, outOfOrderMs: 0 }), sink())],
  ],
  [
    'event time behind a union',
    'EVENT_TIME_NOT_PER_SPLIT',
    'eventTime',
    () => [union(numbers('a'), numbers('b')).pipe(eventTime<number>({ timeMs: n => n, outOfOrderMs: 0 }), sink())],
  ],
]

test.each(refusals)('%s is refused', (_, code, place, pipelines) => {
  expect(() => plan(pipelines())).toThrow(
    expect.objectContaining({ code, place, remedy: expect.stringMatching(/.\.$/) }),
  )
})

test('a side output alone may be read', () => {
  expect(plan([late().side('late').pipe(sink())]).stages).toHaveLength(2)
})
