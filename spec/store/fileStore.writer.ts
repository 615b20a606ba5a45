// Writes objects and log entries to the directory that it is given until it is killed; says so once it has begun.
import { firstValueFrom, lastValueFrom } from 'rxjs'
import { fileStore } from '../../lib/node/fileStore.ts'
import { writeContainer } from '../../lib/snapshot/container.ts'

const [directory = '', round = ''] = process.argv.slice(2)
const store = fileStore(directory)
let last = (await firstValueFrom(store.entries())).at(-1) ?? 0

await append()
process.stdout.write('begun\n')
await Promise.all([0, 1, 2].map(writeForEver))

async function writeForEver(writer: number): Promise<never> {
  for (let i = 0; ; i++) {
    await lastValueFrom(store.put(`round${round}/${i}/${writer}`, content(200_000 + i)))
    if (writer === 0) await append()
    process.stdout.write(`round${round}/${i}/${writer}\n`)
  }
}

async function append(): Promise<void> {
  last++
  await lastValueFrom(store.append(last, content(1000)))
}

function content(size: number): Uint8Array {
  return writeContainer([{ name: 'content', chunks: [Uint8Array.from({ length: size }, (_, i) => i * 7)] }], {
    encoding: 'none',
  })
}
