/**
 * A savepoint as data: a job is stopped at noon, what it knew is read and compared with a plain loop, its next version goes on from
 * there, and a third job begins with state that has been mended by hand.
 *
 * The pipelines are in inspect/pipeline.ts, the day and its landings in hours/.
 */
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as t from 'io-ts'
import { filter, firstValueFrom, lastValueFrom, toArray } from 'rxjs'
import { hours, type Pipeline, type RunOptions, readCheckpoint, writeCheckpoint } from 'spillway'
import { fileStore } from 'spillway/node'
import { collect } from 'spillway/operators'
import { runIn } from 'spillway/testing'
import { FastDay } from './hours/fastDay.ts'
import { asTheyLand, dayMs, landingsOfTheDay } from './hours/landings.ts'
import type { Landing } from './hours/pipeline.ts'
import { afternoon, type Lateness, morning, Sum } from './inspect/pipeline.ts'

const folder = fileURLToPath(new URL(`../.cache/inspect-run-${process.pid}/`, import.meta.url))
await mkdir(folder, { recursive: true })
const complaints: string[] = []
const check = (claim: string, holds: boolean) => void (holds || complaints.push(claim))

const landings = await landingsOfTheDay()
const noonMs = dayMs + hours(12)
const [before, after] = [landings.filter(of => of.landedMs < noonMs), landings.filter(of => of.landedMs >= noonMs)]
const of = (airport: string, some: readonly Landing[]) => some.filter(({ destination }) => destination === airport)
const meanOf = (some: readonly Landing[]) => some.reduce((sum, { delayMin }) => sum + delayMin, 0) / some.length
const isClose = (a: number, b: number) => Math.abs(a - b) < 1e-9

/** Runs until so late, or to the end. */
const ran = async (day: FastDay, pipeline: Pipeline, untilMs: number, options: RunOptions) => {
  const job = runIn(day.environment(), pipeline, { parallelism: 2, ...options })
  const running = await firstValueFrom(job.status$.pipe(filter(({ kind }) => kind !== 'starting')))
  if (running.kind === 'running' && running.resumedFrom !== undefined) console.log(running.resumedFrom.message)
  await day.passes(job, untilMs)
  return job
}

const day = new FastDay(dayMs)
const source = () => asTheyLand(landings, day.scheduler)
const first = await ran(day, morning(source(), collect<Lateness>()), noonMs, {
  store: fileStore(join(folder, 'store')),
})
await first.stop({ savepoint: fileStore(join(folder, 'noon')) })

// The directory is all that there is to it.
await rename(join(folder, 'noon'), join(folder, 'moved'))
const savepoint = fileStore(join(folder, 'moved'))
const data = await readCheckpoint(savepoint)
console.log(
  `${data.operators.map(({ operator }) => operator).join(', ')}; ${data.inFlight.length} channels hold records`,
)
const sums = await lastValueFrom(data.keyed('lateness', 'sum', Sum).pipe(toArray()))
for (const { key, value } of sums.toSorted((a, b) => b.value.landings - a.value.landings).slice(0, 3)) {
  console.log(`${key}: ${value.landings} landings, ${(value.delayMin / value.landings).toFixed(1)} minutes late`)
}
check('the savepoint has all airports', sums.length === new Set(before.map(({ destination }) => destination)).size)
for (const { key, value } of sums) {
  const own = of(String(key), before)
  check(`${key} is as counted`, value.landings === own.length && isClose(value.delayMin / own.length, meanOf(own)))
}
const Positions = t.array(t.tuple([t.string, t.type({ position: t.number })]))
const positions = (await lastValueFrom(data.values('landings', 'position', Positions).pipe(toArray()))).flatMap(
  ({ value }) => value.map(([split, { position }]) => [split, position] as const),
)
check('what had been read has landed', positions.reduce((sum, [, n]) => sum + n, 0) === before.length)

const second = collect<Lateness>()
await (await ran(day, afternoon(source(), second), dayMs + hours(25), { parallelism: 3, restore: { savepoint } })).done
const lastOf = (airport: string, said: readonly Lateness[]) => said.filter(of => of.airport === airport).at(-1)
check('the afternoon is once and whole', second.records.length === after.length)
for (const airport of new Set(after.map(({ destination }) => destination))) {
  const mean = lastOf(airport, second.records)?.meanDelayMin ?? Number.NaN
  check(`${airport} is late as the day`, isClose(mean, meanOf(of(airport, landings))))
}

// An airport whose morning was wrong begins anew; the others go on.
const [wrong] = after.map(({ destination }) => destination)
const mended = fileStore(join(folder, 'mended'))
const again = new FastDay(noonMs)
const third = collect<Lateness>()
const pipeline = morning(asTheyLand(landings, again.scheduler), third)
await writeCheckpoint(mended, pipeline, {
  states: [
    {
      ...{ operator: 'lateness', state: 'sum', codec: Sum },
      entries: sums.flatMap(({ key, value }) => (key === wrong ? [] : [[key, value] as const])),
    },
    { source: 'landings', positions: Object.fromEntries(positions) },
  ],
})
await (await ran(again, pipeline, dayMs + hours(25), { store: mended })).done
for (const airport of new Set(after.map(({ destination }) => destination))) {
  const mean = lastOf(airport, third.records)?.meanDelayMin ?? Number.NaN
  check(`${airport} is late as mended`, isClose(mean, meanOf(of(airport, airport === wrong ? after : landings))))
}

for (const complaint of complaints) console.log(`FAILED: ${complaint}`)
console.log(`${before.length} landings before noon, ${after.length} after it, ${sums.length} airports`)
await rm(folder, { recursive: true, force: true })
process.exitCode = complaints.length > 0 ? 1 : 0
