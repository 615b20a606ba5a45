// A job to be killed: deals the minutes from 0 to the hours that they are in, out of order by up to ten of them.
import * as t from 'io-ts'
import { interval, map } from 'rxjs'
import { minutes, stream } from 'spillway'
import { fileStore, ndjsonFiles } from 'spillway/node'
import { eventTime, fromArray, into, keyBy, map as mapRecords } from 'spillway/operators'
import { paced } from '../paced.ts'
import { run } from '../run.ts'

const [directory = '', total = '0', parallelism = '2'] = process.argv.slice(2)

/** Each ten backwards. */
const records = Array.from({ length: Number(total) }, (_, n) => 10 * Math.floor(n / 10) + (9 - (n % 10)))
const Minute = t.number

const job = run(
  stream(paced(fromArray(records, { splits: 2 }), { records: 10, pauseMs: 10 })).pipe(
    eventTime({ timeMs: minutes, outOfOrderMs: minutes(10) }),
    keyBy(minute => minute % 7),
    mapRecords(minute => minute),
    into(ndjsonFiles(`${directory}/out`, Minute, { hourOf: minutes })),
  ),
  {
    parallelism: Number(parallelism),
    store: fileStore(`${directory}/checkpoints`),
    checkpoints: { schedule: interval(50).pipe(map(() => ({}))) },
  },
)
await job.done
process.stdout.write('done\n')
