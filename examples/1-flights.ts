/**
 * Hourly delays at 229 airports, from 3,000,000 flights, through three crashes: nothing is lost, nothing is there twice.
 *
 * The job (flights/job.ts, flights/pipeline.ts) runs in a child process, held up by a slow sink so that its channels
 * are full. This process kills it three times with SIGKILL, at the worst moments, and starts it again. Then it compares
 * what has been published with what a plain loop over the same files finds (flights/oracle.ts).
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type KillMoment, type Start, startJob } from './flights/child.ts'
import { difference, publishedLines } from './flights/compare.ts'
import { figure, progressLine, saidOf, seconds } from './flights/console.ts'
import type { Report } from './flights/messages.ts'
import { oracle } from './flights/oracle.ts'
import { flightFiles, prepareFlights } from './flights/prepare.ts'
import { complaintsOf, tableOf } from './flights/verdict.ts'

const flights = 3_000_000
const folder = fileURLToPath(new URL('../.cache/flights-run/', import.meta.url))
const kills: readonly { moment: KillMoment; words: string }[] = [
  { moment: 'snapshot', words: 'during a snapshot' },
  { moment: 'publication', words: 'between the completion of a checkpoint and its publication' },
  { moment: 'random', words: 'at a random moment' },
]

const { show, say } = progressLine()
let fraction = 0
const showReport = (report: Report) => {
  for (const line of saidOf(report)) say(line)
  if (report.kind === 'progress') fraction = report.fraction
  if (report.kind === 'checkpoint') show(fraction, report.summary)
  else show(fraction)
}

const beforePreparingMs = performance.now()
if ((await prepareFlights(prepared => show(prepared, 'preparing'))) === 'made') {
  say(`prepared ${figure(flights)} flights in ${seconds(performance.now() - beforePreparingMs)}; they are kept`)
}
await rm(folder, { recursive: true, force: true })

const beforeJobMs = performance.now()
const expecting = oracle(flightFiles) // Meanwhile, on the second processor.
const starts: Start[] = []
for (const { moment, words } of kills) {
  starts.push(await startJob(folder, { files: flightFiles, kill: moment, onReport: showReport }))
  say(`killed ${words}`)
}
starts.push(await startJob(folder, { files: flightFiles, kill: undefined, onReport: showReport }))
const tookMs = performance.now() - beforeJobMs
say('done, comparing')

const expected = await expecting
const delays = await publishedLines(join(folder, 'delays'))
const late = await publishedLines(join(folder, 'late'))
const outcome = {
  ...{ flights, tookMs, starts },
  results: { delays: delays.length, late: late.length },
  differences: [difference(expected.delays, delays), difference(expected.late, late)],
}
const complaints = complaintsOf(outcome)
say(tableOf(outcome))
for (const complaint of complaints) say(`FAILED: ${complaint}`)
process.exitCode = complaints.length > 0 ? 1 : 0
