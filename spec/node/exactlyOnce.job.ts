// A job to be stopped or killed: writes the numbers from 0 to files, and says which checkpoints complete, and how it ends.
import * as t from 'io-ts'
import { fixedDelay, SpillwayError, stream } from 'spillway'
import { fileStore, ndjsonFiles } from 'spillway/node'
import { fromArray, into } from 'spillway/operators'
import { paced } from '../paced.ts'
import { run } from '../run.ts'

const [directory = '', total = '0', pauseMs = '0', failEvery = '0'] = process.argv.slice(2)

let batches = 0
/** Fails after so many batches, whichever task it is, again and again. */
const onBatch = () => {
  if (++batches % Number(failEvery) === 0) throw new Error('this batch fails')
}

const numbers = Array.from({ length: Number(total) }, (_, n) => n)
const job = run(
  stream(paced(fromArray(numbers, { splits: 2 }), { records: 100, pauseMs: Number(pauseMs), onBatch })).pipe(
    into(ndjsonFiles(`${directory}/out`, t.number)),
  ),
  {
    parallelism: 2,
    restart: fixedDelay({ delayMs: 1, attemptsMax: 1_000 }),
    store: fileStore(`${directory}/checkpoints`),
    checkpoints: { everyMs: 10 },
  },
)
job.checkpoints$.subscribe(({ id, outcome }) => process.stdout.write(`${outcome} ${id}\n`))
try {
  await job.done
  process.stdout.write('done\n')
} catch (error) {
  process.stdout.write(`${error instanceof SpillwayError ? error.code : error}\n`)
}
