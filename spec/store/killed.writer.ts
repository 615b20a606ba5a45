// Takes checkpoints of the store alone, as fast as it can, until it is killed: some objects, small and large, then the entry that names
// them; says the entry's number once it is durable, and deletes what is older than the one before.
import { firstValueFrom, lastValueFrom } from 'rxjs'
import { fileStore } from '../../lib/node/fileStore.ts'
import { writeContainer } from '../../lib/snapshot/container.ts'

const [directory = ''] = process.argv.slice(2)
const store = fileStore(directory)
const sizes = [100, 10_000, 100_000]

const namesOf = (n: number) => sizes.map(size => `e1/c${n}/${size}`)

const contents = sizes.map(size =>
  writeContainer([{ name: 'content', chunks: [new Uint8Array(size).fill(7)] }], { encoding: 'none' }),
)

const named = (names: readonly string[]) =>
  writeContainer([{ name: 'names', chunks: [new TextEncoder().encode(names.join('\n'))] }], { encoding: 'none' })

const entries = await firstValueFrom(store.entries())
const objects = await firstValueFrom(store.list(''))
// As a start does: its own number comes behind all that have been tried.
let n = 1 + Math.max(0, ...entries, ...objects.map(object => Number(/c(\d+)/.exec(object)?.[1])))
process.stdout.write('begun\n')
for (; ; n++) {
  await Promise.all(namesOf(n).map((name, i) => lastValueFrom(store.put(name, contents[i] as Uint8Array))))
  await lastValueFrom(store.append(n, named(namesOf(n))))
  process.stdout.write(`${n}\n`)
  const older = (await firstValueFrom(store.entries())).filter(of => of < n - 1)
  for (const of of older) {
    for (const name of namesOf(of)) store.delete(name).subscribe()
    store.deleteEntry(of).subscribe()
  }
}
