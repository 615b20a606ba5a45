import { Subject, take } from 'rxjs'
import { named, type Pipeline, stream } from 'spillway'
import { collect, fromArray, fromObservable, into } from 'spillway/operators'
import { expect, test } from 'vitest'
import { checkGuarantee } from '../../lib/graph/checkGuarantee.ts'
import { plan } from '../../lib/graph/plan.ts'
import { run } from '../run.ts'

const lossy = (name: string) =>
  stream(fromObservable(new Subject<number>(), { name, onFull: 'error', bufferRecordsMax: 3 })).pipe(
    named(`out of ${name}`, into(collect<number>())),
  )
const exact = stream(fromArray([1])).pipe(named('exact', into(collect<number>())))

const check = (acceptLoss: readonly string[], ...pipelines: Parameters<typeof plan>[0]) => {
  try {
    checkGuarantee(plan(pipelines), acceptLoss)
    return 'accepted'
  } catch (error) {
    return (error as { place: string; code: string }).place
  }
}

test.each([
  { acceptLoss: [], pipelines: [exact], outcome: 'accepted' },
  { acceptLoss: [], pipelines: [exact, lossy('clicks')], outcome: 'clicks' },
  { acceptLoss: ['clicks'], pipelines: [exact, lossy('clicks')], outcome: 'accepted' },
  { acceptLoss: ['clicks'], pipelines: [lossy('clicks'), lossy('taps')], outcome: 'taps' },
  { acceptLoss: ['clicks', 'fromArray'], pipelines: [exact, lossy('clicks')], outcome: 'run options.acceptLoss' },
])('loss accepted for $acceptLoss: $outcome', ({ acceptLoss, pipelines, outcome }) => {
  expect(check(acceptLoss, ...pipelines)).toBe(outcome)
})

test('run refuses a source that is at most once, and says how to accept it', () => {
  const pipeline: Pipeline = lossy('clicks')
  expect(() => run(pipeline)).toThrow(/clicks: .*acceptLoss: \['clicks'\].*AT_MOST_ONCE_SOURCE/)
})

test('a job that accepts it takes what is pushed while it runs, to the end', async () => {
  const pushed$ = new Subject<number>()
  const sink = collect<number>()
  const source = fromObservable(pushed$.pipe(take(3)), { onFull: 'error', bufferRecordsMax: 3 })
  const job = run(stream(source).pipe(into(sink)), { acceptLoss: ['fromObservable'] })
  while (!pushed$.observed) await new Promise(resolve => setImmediate(resolve))
  for (const n of [1, 2, 3]) pushed$.next(n)
  await job.done
  expect(sink.records).toEqual([1, 2, 3])
})
