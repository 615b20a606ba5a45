/** What a user's compiler must accept: every entry point, an operator of one's own, all types inferred. */
export const use = `
  import * as t from 'io-ts'
  import type { Observable } from 'rxjs'
  import { hours, type Job, keyedOperator, minutes, run, type Stream, stream } from 'spillway'
  import { collect, eventTime, fromArray, into, keyBy, map, mean, tumblingWindow } from 'spillway/operators'
  import { fileStore, ndjsonFile, ndjsonFiles } from 'spillway/node'
  import { type S3Methods, s3Store } from 'spillway/s3'
  import { inPlace } from 'spillway/testing'

  const Flight = t.type({ origin: t.string, departureMs: t.number, delayMin: t.number })
  const Delay = t.type({ airport: t.string, hourMs: t.number, meanDelayMin: t.number })

  const hourly = stream(ndjsonFile('flights.ndjson', Flight)).pipe(
    eventTime({ timeMs: flight => flight.departureMs, outOfOrderMs: minutes(120) }),
    keyBy(flight => flight.origin),
    tumblingWindow({ sizeMs: hours(1), late: 'side' }, mean(flight => flight.delayMin)),
  )
  const delays = hourly.pipe(
    map(({ key, startMs, value }) => ({ airport: key, hourMs: startMs, meanDelayMin: value })),
    into(ndjsonFiles('out/', Delay)),
  )
  const late = hourly.side('late').pipe(into(ndjsonFiles('late/', Flight)))
  export const job: Job = run([delays, late], { parallelism: 4, store: fileStore('checkpoints/') })
  export const inBucket = (client: S3Methods): Job => run(late, { store: s3Store({ client, bucket: 'checkpoints' }) })

  const countPerKey = <T, K extends string>() =>
    keyedOperator<T, K, readonly [K, number]>('countPerKey', ({ state }) => {
      const counted = state.value('count', t.number, 0)
      return { record: (_, out, { key }) => out.emit([key, counted.update(n => n + 1)]) }
    })
  const counts: Stream<readonly [string, number]> = stream(fromArray(['a', 'b'])).pipe(
    keyBy(letter => letter),
    countPerKey(),
  )
  export const numbers$: Observable<number> = counts.pipe(map(([, n]) => n)).records$
  counts.in(inPlace()).subscribe()
  run(counts.pipe(into(collect<readonly [string, number]>())))
`

const imports = `
  import { take } from 'rxjs'
  import { run, stream } from 'spillway'
  import { collect, count, fromArray, into, keyBy, map, scan, tumblingWindow } from 'spillway/operators'
  const letters = stream(fromArray(['a', 'b']))
`

/** What must not compile, and the words by which the compiler says what to do. */
export const misuses: readonly { readonly claim: string; readonly text: string; readonly says: string }[] = [
  {
    claim: 'tells to put keyBy before an operator with state',
    text: `${imports}letters.pipe(scan((n: number) => n + 1, 0))`,
    says: 'keyed: put keyBy(...) directly before this operator',
  },
  {
    claim: 'tells to put keyBy directly before a window',
    text: `${imports}letters.pipe(keyBy(l => l), map(l => l), tumblingWindow({ sizeMs: 1, late: 'drop' }, count()))`,
    says: 'keyed: put keyBy(...) directly before this operator',
  },
  {
    claim: 'tells to put an RxJS operator inside eachRecord',
    text: `${imports}letters.pipe(take(1), map((letter: string) => letter))`,
    says: 'RxJS operators go inside eachRecord(...)',
  },
  {
    claim: 'tells to put an RxJS operator at the end inside eachRecord',
    text: `${imports}letters.pipe(map(letter => letter), take(1))`,
    says: 'RxJS operators go inside eachRecord(...)',
  },
  {
    claim: 'tells to use asyncMap for an async function',
    text: `${imports}letters.pipe(map(async letter => letter))`,
    says: 'map calls synchronous functions: use asyncMap(f, { inFlightMax, ordered })',
  },
  {
    claim: 'tells to end a pipeline with into',
    text: `${imports}run([letters])`,
    says: 'a pipeline: it ends with into(sink)',
  },
  {
    claim: 'tells which record a sink does not take',
    text: `${imports}letters.pipe(into(collect<number>()))`,
    says: "Type 'string' is not assignable to type 'number'",
  },
  {
    claim: 'tells that a misspelled option does not exist',
    text: `${imports}run(letters.pipe(into(collect<string>())), { paralelism: 2 })`,
    says: "'paralelism' does not exist in type 'RunOptions'",
  },
  {
    claim: 'refuses a side that the operator does not have',
    text: `${imports}letters.pipe(map(letter => letter)).side('late')`,
    says: 'not assignable to parameter of type',
  },
  {
    claim: 'refuses what is not public',
    text: `import { barrier } from 'spillway/lib/element'; export { barrier }`,
    says: "Cannot find module 'spillway/lib/element'",
  },
]
