// A job to be stopped or killed: writes the numbers from 0 to files, and says which checkpoints complete, and how it ends.
import * as t from 'io-ts'
import { timer } from 'rxjs'
import { run, type Source, SpillwayError, stream } from 'spillway'
import { fileStore, ndjsonFiles } from 'spillway/node'
import { fromArray, into } from 'spillway/operators'

const [directory = '', total = '0', pauseMs = '0'] = process.argv.slice(2)

/** Waits after each hundred records. */
const paced = (source: Source<number>): Source<number> => ({
  ...source,
  open: (split, from) => {
    const reader = source.open(split, from)
    let isDue = true
    return {
      ...reader,
      next: () => {
        isDue = !isDue
        return isDue ? reader.next(100) : 'wait'
      },
      ready$: timer(Number(pauseMs)),
    }
  },
})

const numbers = Array.from({ length: Number(total) }, (_, n) => n)
const job = run(
  stream(paced(fromArray(numbers, { splits: 2 }))).pipe(into(ndjsonFiles(`${directory}/out`, t.number))),
  {
    parallelism: 2,
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
