import * as rx from 'rxjs'
import { memoryStore, type Pipeline, type Sink, stream } from 'spillway'
import { asyncMap, fromArray, into, rebalance } from 'spillway/operators'
import { expect, test } from 'vitest'
import { nothingPublished, runThrottled } from './throttled.ts'

const inFlightMax = 8
const numbers = Array.from({ length: 3_000 }, (_, n) => n)
const latencyMs = (n: number) => 1 + ((7 * n) % 29)

interface Calls {
  readonly made: number[]
  readonly underWay: Set<number>
}

const lookups =
  (calls: Calls, { ordered, tookMs = latencyMs }: { readonly ordered: boolean; readonly tookMs?: typeof latencyMs }) =>
  (sink: Sink<number>): Pipeline =>
    stream(fromArray(numbers)).pipe(
      rebalance(),
      asyncMap(
        (n, { scheduler }) => {
          calls.made.push(n)
          calls.underWay.add(n)
          return rx.timer(tookMs(n), scheduler).pipe(
            rx.map(() => 10 * n),
            rx.tap(() => calls.underWay.delete(n)),
          )
        },
        { inFlightMax, ordered, timeoutMs: 100 },
      ),
      into(sink),
    )

const none = (): Calls => ({ made: [], underWay: new Set() })
const sorted = (of: Iterable<number>) => [...of].sort((a, b) => a - b)
/** Between two ms, at which no call is answered. */
const cutAtMs = 500.5

for (const ordered of [true, false]) {
  test(`ordered: ${ordered}: what is under way at the cut is called again before anything new, and each result comes once`, () => {
    const [store, published, first, again] = [memoryStore(), nothingPublished(), none(), none()]
    let atCut: { readonly made: number; readonly underWay: readonly number[] } = { made: 0, underWay: [] }
    const { checkpoints } = runThrottled(
      (sink, scheduler) => {
        scheduler.schedule(() => {
          atCut = { made: first.made.length, underWay: sorted(first.underWay) }
        }, cutAtMs)
        return lookups(first, { ordered })(sink)
      },
      { store, published, checkpointsAtMs: [cutAtMs], killedAtMs: 900 },
    )
    expect(checkpoints).toMatchObject([{ outcome: 'completed', durationMs: 0 }])
    expect(atCut.underWay).toHaveLength(inFlightMax)
    expect(first.made.length).toBeGreaterThan(atCut.made)

    expect(runThrottled(lookups(again, { ordered }), { store, published }).outcome).toBe('done')
    const calledAgain = again.made.filter(n => n < atCut.made)
    expect(calledAgain).toEqual(ordered ? numbers.slice(calledAgain[0], atCut.made) : atCut.underWay)
    expect(calledAgain).toEqual(expect.arrayContaining([...atCut.underWay]))
    expect(again.made).toEqual(sorted(again.made))
    expect(ordered ? published.records : sorted(published.records)).toEqual(numbers.map(n => 10 * n))
  })

  test(`ordered: ${ordered}: a call that takes too long fails the job, which goes on from its checkpoint once calls answer`, () => {
    const [store, published] = [memoryStore(), nothingPublished()]
    const tookMs = (n: number) => (n === 1_000 ? 5_000 : latencyMs(n))
    const hanging = () =>
      runThrottled(lookups(none(), { ordered, tookMs }), { store, published, checkpointsAtMs: [cutAtMs] })
    expect(hanging).toThrow(/^asyncMap: .*on record 1000\..*USER_FUNCTION_FAILED/)
    expect(published.records.length).toBeGreaterThan(100)
    expect(runThrottled(lookups(none(), { ordered }), { store, published }).outcome).toBe('done')
    expect(ordered ? published.records : sorted(published.records)).toEqual(numbers.map(n => 10 * n))
  })
}
