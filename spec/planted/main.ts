import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { copied } from './copied.ts'
import { planted } from './faults.ts'
import { type Found, foundLast } from './found.ts'
import { search } from './search.ts'

/**
 * `npm run -s planted -- [--only TEXT] [--runs N] [--seed N]`: plants each fault in a copy of the sources and shows what finds it,
 * simulation after how many runs. Each is looked for first where docs/planted-faults.md says that it was found last, unless a
 * seed to begin with is given. Fails if one is not found.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    runs: { type: 'string', default: '3000' },
    seed: { type: 'string' },
  },
})
const root = fileURLToPath(new URL('../../', import.meta.url))
const last: ReadonlyMap<string, Found> =
  values.seed === undefined ? foundLast(readFileSync(join(root, 'docs/planted-faults.md'), 'utf8')) : new Map()

const waiting = planted.filter(({ what }) => what.includes(values.only))
let [found, missed] = [0, 0]

const worker = async (): Promise<void> => {
  const copy = copied(root)
  try {
    for (let of = waiting.shift(); of !== undefined; of = waiting.shift()) {
      const { what } = of
      const options = {
        copy: copy.path,
        root,
        last: last.get(what),
        runsMax: Number(values.runs),
        firstSeed: Number(values.seed ?? 1),
      }
      const { by, how } = await copy.with(of, () => search(of, options))
      if (by === undefined) missed++
      else found++
      console.log(`| ${what} | ${by ?? '**nothing**'} | ${how} |`)
    }
  } finally {
    copy.remove()
  }
}
console.log('| planted | found by | what it says |\n| --- | --- | --- |')
await Promise.all(Array.from({ length: availableParallelism() }, worker))

console.log(`\n${found} of ${found + missed} planted faults found`)
if (missed > 0 || found === 0) process.exit(1)
