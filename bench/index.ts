/** npm run -s bench -- NAME [--json] */
import type { Bench, Figures, Options } from './bench.ts'
import { checkpoint } from './checkpoint.ts'
import { debloat } from './debloat.ts'
import { encoding } from './encoding.ts'
import { exchange } from './exchange.ts'
import { runPart, startPart } from './freshProcess.ts'
import { hostLatency } from './hostLatency.ts'
import { keyedSum } from './keyedSum.ts'
import { rounded } from './measure.ts'
import { regionalBench } from './regional.ts'
import { soak } from './soak.ts'
import { unionBench } from './union.ts'

const benches: Readonly<Record<string, Bench>> = {
  'keyed-sum': keyedSum,
  'host-latency': hostLatency,
  soak,
  checkpoint,
  debloat,
  exchange,
  encoding,
  regional: regionalBench,
  union: unionBench,
}

const usage = (): string =>
  [
    'npm run -s bench -- NAME [--json]',
    '',
    ...Object.entries(benches).map(([name, { about, options = '' }]) => `  ${`${name} ${options}`.padEnd(24)}${about}`),
    '',
    '--json prints the figures as one JSON object, as the last line.',
  ].join('\n')

const optionsIn = (words: readonly string[]): Options =>
  new Map(
    words.flatMap((word, i) => {
      if (!word.startsWith('--')) return []
      const [name, value = words[i + 1]] = word.slice(2).split('=') as [string, string?]
      return [[name, value === undefined || value.startsWith('--') ? '' : value]]
    }),
  )

const allRounded = (figures: Figures): Figures =>
  Object.fromEntries(
    Object.entries(figures).map(([key, value]) => [
      key,
      typeof value === 'number' ? rounded(value) : allRounded(value),
    ]),
  )

const [name = '', ...words] = process.argv.slice(2)
const bench = benches[name]
const options = optionsIn(words)
const part = options.get('part')

if (bench === undefined) {
  console.error(name === '' ? usage() : `There is no bench ${name}.\n\n${usage()}`)
  process.exitCode = 2
} else if (part !== undefined) {
  await runPart(bench, part, options)
} else {
  const begunMs = performance.now()
  const figures = await bench.measure(started => startPart({ bench: name, part: started, words }), options)
  console.log(`took ${Math.round((performance.now() - begunMs) / 1000)} s`)
  if (options.has('json')) {
    console.log(JSON.stringify(allRounded(figures)))
  }
}
