import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ndjsonFiles } from 'spillway/node'
import { afterAll, expect, test } from 'vitest'
import { saidOf } from '../../examples/flights/console.ts'
import type { Report } from '../../examples/flights/messages.ts'
import { Flight, HourlyDelay, hourlyDelays } from '../../examples/flights/pipeline.ts'
import { run } from '../run.ts'

const folder = mkdtempSync(join(tmpdir(), 'spillway-flights-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const files = [0, 1, 2, 3].map(n => {
  const file = join(folder, `flights-${n}.ndjson`)
  writeFileSync(file, `${JSON.stringify({ origin: 'ORD', departureMs: Date.UTC(2001, 0, 1, n), delayMin: n })}\n`)
  return file
})

/** What the job of the main example tells first, on a few flights; then it is killed. */
const running = () =>
  new Promise<Report>((resolve, reject) => {
    const job = fileURLToPath(new URL('../../examples/flights/job.ts', import.meta.url))
    const execArgv = ['--import', 'tsx', '--conditions=@spillway/source']
    const child = fork(job, [join(folder, 'run'), 'stoppable', ...files], { execArgv })
    child.on('message', (report: Report) => {
      if (report.kind !== 'running') return
      resolve(report)
      child.kill('SIGKILL')
    })
    child.on('exit', code => reject(new Error(`the job has told nothing, and ended with code ${code}`)))
  })

test('the main example says at its start what its channels and snapshots hold at the most', async () => {
  const delays = ndjsonFiles(join(folder, 'delays'), HourlyDelay)
  const late = ndjsonFiles(join(folder, 'late'), Flight)
  const here = run(hourlyDelays(files, { delays, late }), { parallelism: 4, checkpoints: { alignment: 'unaligned' } })
  const { buffersMax, recordsMax } = here.buffers
  await here.done
  const [buffers, records] = [buffersMax, recordsMax].map(figure => figure.toLocaleString('en-US'))
  expect(saidOf(await running())).toEqual([
    'started',
    `at most ${buffers} buffers, ${records} records in channels and snapshots`,
  ])
})
