// A job on a disk that is full until its second checkpoint: says what becomes of each, and what is left of the first.
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { firstValueFrom, filter as those } from 'rxjs'
import { stream } from 'spillway'
import { fileStore } from 'spillway/node'
import { collect, filter, fromArray, into, keyBy, map, scan } from 'spillway/operators'
import { run } from '../run.ts'

const [disk = ''] = process.argv.slice(2)
const filler = `${disk}/filler`
const padded = 'x'.repeat(2_000)

const sink = collect<number>()
const job = run(
  stream(fromArray(Array.from({ length: 200_000 }, (_, n) => n))).pipe(
    keyBy(n => n % 100),
    scan(({ count }) => ({ count: count + 1, padded }), { count: 0, padded }),
    map(({ count }) => count),
    filter(count => count === 2_000),
    into(sink),
  ),
  { store: fileStore(`${disk}/checkpoints`) },
)
await firstValueFrom(job.status$.pipe(those(({ kind }) => kind === 'running')))
await new Promise(later => setTimeout(later, 20))
writeFileSync(filler, new Uint8Array(900_000))
const say = async () => {
  const { outcome, reason = '' } = await job.triggerCheckpoint()
  process.stdout.write(`${outcome} ${reason}\n`)
}
await say()
process.stdout.write(`left: ${readdirSync(`${disk}/checkpoints/tmp`).length}\n`)
rmSync(filler)
await say()
await job.done
process.stdout.write(`done ${sink.records.length}\n`)
