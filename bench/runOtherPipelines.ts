import * as rx from 'rxjs'
import { minutes, type Pipeline, run, stream } from 'spillway'
import * as s from 'spillway/operators'
import { countingSink } from './countingSink.ts'

/**
 * Runs pipelines with records of many shapes, through Spillway's operators and through RxJS's, as a process does that has
 * more than one thing to do: afterwards the operators have seen more than one shape.
 */
export const runOtherPipelines = async (): Promise<void> => {
  const inputs = makeInputs()
  for (let round = 0; round < 2; round++) {
    for (const pipeline of bySpillway(inputs)) {
      await run(pipeline, { parallelism: 4, checkpoints: { everyMs: 100 } }).done
    }
    for (const results$ of byRxjs(inputs)) await rx.lastValueFrom(results$.pipe(rx.count()))
  }
}

const bySpillway = ({ orders, readings, lines, visits }: Inputs): readonly Pipeline[] => [
  stream(s.fromArray(orders, { splits: 4 })).pipe(
    s.filter(order => order.cents > 500),
    s.map(order => ({ customer: order.customer, euros: order.cents / 100 })),
    s.keyBy(order => order.customer),
    s.scan((total, order) => total + order.euros, 0),
    s.into(countingSink()),
  ),
  stream(s.fromArray(readings, { splits: 4 })).pipe(
    s.eventTime({ timeMs: reading => reading.at, outOfOrderMs: 1_000 }),
    s.keyBy(reading => reading.sensor),
    s.tumblingWindow(
      { sizeMs: minutes(1), late: 'drop' },
      s.mean(reading => reading.celsius),
    ),
    s.map(({ key, endMs, value }) => `${key} ${endMs} ${value}`),
    s.into(countingSink()),
  ),
  stream(s.fromArray(lines)).pipe(
    s.flatMap(line => line.split(' ')),
    s.keyBy(word => word),
    s.scan(count => count + 1, 0),
    s.into(countingSink()),
  ),
  stream(s.fromArray(visits, { splits: 2 })).pipe(
    s.rebalance(),
    s.keyBy(visit => [visit.page, visit.mobile] as const),
    s.scan((seen: { users: number; last: string }, visit) => ({ users: seen.users + 1, last: visit.user }), {
      users: 0,
      last: '',
    }),
    s.filter(seen => seen.users % 2 === 0),
    s.into(countingSink()),
  ),
]

const byRxjs = ({ orders, readings, lines, visits }: Inputs): readonly rx.Observable<unknown>[] => [
  rx.from(orders).pipe(
    rx.filter(order => order.cents > 500),
    rx.map(order => ({ customer: order.customer, euros: order.cents / 100 })),
    rx.groupBy(order => order.customer),
    rx.mergeMap(group => group.pipe(rx.scan((total, order) => total + order.euros, 0))),
  ),
  rx.from(readings).pipe(
    rx.groupBy(reading => reading.sensor),
    rx.mergeMap(group =>
      group.pipe(
        rx.bufferCount(60),
        rx.map(some => some.reduce((sum, { celsius }) => sum + celsius, 0) / some.length),
      ),
    ),
  ),
  rx.from(lines).pipe(
    rx.mergeMap(line => line.split(' ')),
    rx.groupBy(word => word),
    rx.mergeMap(group => group.pipe(rx.scan(count => count + 1, 0))),
  ),
  rx.from(visits).pipe(
    rx.groupBy(visit => `${visit.page} ${visit.mobile}`),
    rx.mergeMap(group =>
      group.pipe(rx.scan((seen, visit) => ({ users: seen.users + 1, last: visit.user }), { users: 0, last: '' })),
    ),
    rx.filter(seen => seen.users % 2 === 0),
  ),
]

const many = <T>(count: number, make: (i: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, i) => make(i))

type Inputs = ReturnType<typeof makeInputs>

const makeInputs = () => ({
  orders: many(300_000, i => ({ id: i, customer: (i * 7919) % 5_003, cents: (i * 104_729) % 10_000 })),
  readings: many(300_000, i => ({ sensor: `s${i % 211}`, celsius: 20 + (i % 100) / 10, at: i * 10, unit: 'C' })),
  lines: many(50_000, i => `the ${i % 97} quick ${i % 89} brown ${i % 83} fox`),
  visits: many(300_000, i => ({ user: `u${i % 1_009}`, page: i % 101, mobile: i % 3 === 0, referrer: null })),
})
