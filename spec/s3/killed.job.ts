// A job to be killed: its checkpoints are in a bucket, its results in files.
import { S3 } from '@aws-sdk/client-s3'
import * as t from 'io-ts'
import { SpillwayError, stream } from 'spillway'
import { ndjsonFiles } from 'spillway/node'
import { fromArray, into, keyBy, map, scan } from 'spillway/operators'
import { s3Store } from 'spillway/s3'
import { paced } from '../paced.ts'
import { run } from '../run.ts'

const [endpoint = '', bucket = '', prefix = '', directory = '', total = '0', pauseMs = '0'] = process.argv.slice(2)
const { SPILLWAY_S3_ACCESS_KEY = 'spillway', SPILLWAY_S3_SECRET_KEY = 'spillway-secret' } = process.env
const credentials = { accessKeyId: SPILLWAY_S3_ACCESS_KEY, secretAccessKey: SPILLWAY_S3_SECRET_KEY }
const client = new S3({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })

const numbers = Array.from({ length: Number(total) }, (_, n) => n)
const pipeline = stream(paced(fromArray(numbers, { splits: 2 }), { records: 100, pauseMs: Number(pauseMs) })).pipe(
  keyBy(n => n % 10),
  scan(({ count }, n) => ({ n, count: count + 1 }), { n: 0, count: 0 }),
  map(counted => counted),
  into(ndjsonFiles(directory, t.type({ n: t.number, count: t.number }))),
)
const job = run(pipeline, {
  parallelism: 2,
  store: s3Store({ client, bucket, prefix }),
  checkpoints: { everyMs: 20, inlineBytesMax: 0, alignment: 'unaligned' },
})
job.checkpoints$.subscribe(({ id, outcome }) => process.stdout.write(`${outcome} ${id}\n`))
try {
  await job.done
  process.stdout.write('done\n')
} catch (error) {
  process.stdout.write(`${error instanceof SpillwayError ? error.code : error}\n`)
}
