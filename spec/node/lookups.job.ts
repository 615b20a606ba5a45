// A whole job, to be killed: looks each number up, which takes some ms, and writes down each call before it is answered.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import * as t from 'io-ts'
import { stream } from 'spillway'
import { fileStore, ndjsonFiles } from 'spillway/node'
import { asyncMap, fromArray, into, rebalance } from 'spillway/operators'
import { run } from '../run.ts'

const [directory = '', total = '0', ordered = 'true', alignment = 'aligned'] = process.argv.slice(2)

const lookedUp = async (n: number): Promise<{ readonly n: number }> => {
  appendFileSync(join(directory, 'calls'), `${n}\n`)
  await after(1 + (n % 5))
  return { n }
}

const numbers = Array.from({ length: Number(total) }, (_, n) => n)
const job = run(
  stream(fromArray(numbers)).pipe(
    rebalance(),
    asyncMap(lookedUp, { inFlightMax: 16, ordered: ordered === 'true' }),
    into(ndjsonFiles(join(directory, 'out'), t.type({ n: t.number }))),
  ),
  {
    store: fileStore(join(directory, 'store')),
    checkpoints: { everyMs: 20, alignment: alignment === 'unaligned' ? 'unaligned' : 'aligned' },
    channels: { buffersMax: 2, bufferRecordsMax: 32 },
  },
)
job.checkpoints$.subscribe(({ id, outcome }) => process.stdout.write(`checkpoint ${id} ${outcome}\n`))
await job.done
