/**
 * The flights of a day in a directory an hour: each is visible on the hour, and has its `_SUCCESS` when it is whole.
 *
 * The pipeline and its schedule are in hours/pipeline.ts. The day passes in seconds (hours/fastDay.ts); half past noon the job
 * is stopped, and another goes on from its store. Whenever an hour is said to be whole, its files are compared with a plain
 * loop over the input.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hours } from 'spillway'
import { fileStore } from 'spillway/node'
import { runIn } from 'spillway/testing'
import { FastDay } from './hours/fastDay.ts'
import { asTheyLand, dayMs, landingsOfTheDay } from './hours/landings.ts'
import { checkpoints, landingsByTheHour } from './hours/pipeline.ts'

const folder = fileURLToPath(new URL(`../.cache/hours-run-${process.pid}/`, import.meta.url))
const out = join(folder, 'landings')
await mkdir(out, { recursive: true })

const landings = await landingsOfTheDay()
const hourOf = (timeMs: number) => `hour=${new Date(timeMs).toISOString().slice(0, 13)}Z`
const expected = new Map<string, string[]>()
for (const landing of landings) {
  const hour = hourOf(landing.landedMs)
  expected.set(hour, [...(expected.get(hour) ?? []), JSON.stringify(landing)].sort())
}

const day = new FastDay(dayMs)
const clock = () => new Date(day.scheduler.now()).toISOString().slice(11, 16)
const complaints: string[] = []
const visibleSince = new Map<string, string>()
const whole = new Set<string>()

/** Says which hours have become whole, and complains of those that are not. */
const look = async () => {
  for (const hour of (await readdir(out)).filter(name => name.startsWith('hour=')).sort()) {
    if (whole.has(hour)) continue
    const since = visibleSince.get(hour) ?? clock()
    visibleSince.set(hour, since)
    const files = await readdir(join(out, hour))
    if (!files.includes('_SUCCESS')) continue
    whole.add(hour)
    const published = files.filter(file => file.endsWith('.ndjson'))
    const texts = await Promise.all(published.map(file => readFile(join(out, hour, file), 'utf8')))
    const lines = texts.flatMap(text => text.split('\n').slice(0, -1)).sort()
    console.log(`${clock()}  ${hour} is whole: ${lines.length} landings, the first visible at ${since}`)
    if (lines.join() !== expected.get(hour)?.join()) complaints.push(`${hour} is not whole`)
  }
}

const runUntil = async (untilMs: number) => {
  const pipeline = landingsByTheHour(asTheyLand(landings, day.scheduler), out)
  const job = runIn(day.environment(), pipeline, {
    parallelism: 2,
    store: fileStore(join(folder, 'store')),
    checkpoints,
  })
  job.checkpoints$.subscribe(({ outcome, reason }) => {
    if (outcome !== 'completed') complaints.push(`a checkpoint has ${outcome}: ${reason}`)
  })
  for (let now = day.scheduler.now(); now < untilMs; now += hours(1) / 6) {
    await day.passes(job, Math.min(untilMs, now + hours(1) / 6))
    await look()
  }
  return job
}

const first = await runUntil(dayMs + hours(12.5))
await first.cancel()
console.log(`${clock()}  stopped, and started again`)
const second = await runUntil(dayMs + hours(25))
await second.done
await look()

for (const hour of expected.keys()) if (!whole.has(hour)) complaints.push(`${hour} has no _SUCCESS`)
for (const complaint of complaints) console.log(`FAILED: ${complaint}`)
console.log(`${landings.length} landings in ${expected.size} hours`)
await rm(folder, { recursive: true, force: true })
process.exitCode = complaints.length > 0 ? 1 : 0
