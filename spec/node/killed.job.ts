// A job to be killed: counts numbers by key, takes checkpoints as fast as it can, small ones in the log and large ones as objects, and
// says which are durable. Ends with the number before `total`; or takes one savepoint after another, each into a directory of its own,
// which it says before it begins, with each object and once it is whole.
import * as t from 'io-ts'
import { firstValueFrom, filter as rxFilter, timer } from 'rxjs'
import { type Source, type Store, stream } from 'spillway'
import { fileStore, ndjsonFiles } from 'spillway/node'
import { filter, into, keyBy, map, scan } from 'spillway/operators'
import { run } from '../run.ts'

const [directory = '', total = 'Infinity', savepoints] = process.argv.slice(2)

/** The numbers from 0 on, with a pause after each batch, so that checkpoints are what the job does. */
const numbers: Source<number, number> = {
  name: 'numbers',
  position: t.number,
  splits: () => [['all']],
  open: (_, from = 0) => {
    let at = from
    let isPause = false
    return {
      next: () => {
        isPause = !isPause
        if (!isPause) return 'wait'
        if (at >= Number(total)) return 'end'
        const begin = at
        at = Math.min(begin + 50, Number(total))
        return Array.from({ length: at - begin }, (_, i) => begin + i)
      },
      ready$: timer(1),
      position: () => at,
      close() {},
    }
  },
}

/** A key's state is so large that a task with some of them puts an object. */
const padded = 'x'.repeat(2_000)
const job = run(
  stream(numbers).pipe(
    keyBy(n => n % 50),
    scan(({ count }, n) => ({ n, count: count + 1, padded }), { n: 0, count: 0, padded }),
    filter(({ n }) => n % 100 === 99),
    map(({ n, count }) => ({ n, count })),
    into(ndjsonFiles(`${directory}/out`, t.type({ n: t.number, count: t.number }))),
  ),
  { parallelism: 2, store: fileStore(`${directory}/checkpoints`), checkpoints: { everyMs: 1, inlineBytesMax: 10_000 } },
)
process.stdout.write('begun\n')
job.checkpoints$.subscribe(({ id, outcome }) => process.stdout.write(`${outcome} ${id}\n`))
if (savepoints !== undefined) {
  await firstValueFrom(job.status$.pipe(rxFilter(({ kind }) => kind === 'running')))
  for (let n = 1; ; n++) {
    const into = `${savepoints}/${n}`
    process.stdout.write(`into ${into}\n`)
    const store = fileStore(into)
    const put: Store['put'] = (object, bytes) => {
      process.stdout.write(`putting ${object}\n`)
      return store.put(object, bytes)
    }
    await job.savepoint({ ...store, put })
    process.stdout.write(`whole ${into}\n`)
  }
}
await job.done
process.stdout.write('done\n')
