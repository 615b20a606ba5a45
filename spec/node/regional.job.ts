// A job of four regions to be killed: writes the numbers from 0 to files. From its second checkpoint on the store does not answer
// for the snapshot of one region, or refuses those of three; or neither. Says what becomes of checkpoints, and how it ends.
import * as t from 'io-ts'
import { NEVER, throwError } from 'rxjs'
import { regional, SpillwayError, type Store, stream } from 'spillway'
import { fileStore, ndjsonFiles } from 'spillway/node'
import { fromArray, into, rescale } from 'spillway/operators'
import { paced } from '../paced.ts'
import { run } from '../run.ts'

const [directory = '', total = '0', mode = 'well', parallelism = '4'] = process.argv.slice(2)

let completed = 0
const inner = fileStore(`${directory}/checkpoints`)
const store: Store = {
  ...inner,
  put: (object, bytes) => {
    if (completed < 2 || mode === 'well') return inner.put(object, bytes)
    if (mode === 'silent') return object.endsWith('%2F3') ? NEVER : inner.put(object, bytes)
    return object.endsWith('%2F0') ? inner.put(object, bytes) : throwError(() => refused)
  },
}
const refused = new SpillwayError('STORE_FAILED', { place: 'the test', problem: 'no.', remedy: 'none.' })

const numbers = Array.from({ length: Number(total) }, (_, n) => n)
const job = run(
  stream(paced(fromArray(numbers, { splits: 4 }), { records: 50, pauseMs: mode === 'well' ? 0 : 20 })).pipe(
    rescale(),
    into(ndjsonFiles(`${directory}/out`, t.number)),
  ),
  {
    parallelism: Number(parallelism),
    store,
    checkpoints: {
      everyMs: 20,
      inlineBytesMax: 0,
      policy: regional({ failedRatioMax: 0.5, consecutiveFailuresMax: 2 }),
    },
  },
)
job.checkpoints$.subscribe(({ id, outcome, reason = '' }) => {
  if (outcome === 'completed') completed++
  process.stdout.write(`${outcome} ${id} ${reason}\n`)
})
try {
  await job.done
  process.stdout.write('done\n')
} catch (error) {
  process.stdout.write(`${error instanceof SpillwayError ? error.code : error}\n`)
}
