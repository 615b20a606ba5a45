/** The child process: runs the pipeline, tells its parent how it goes, and knows nothing of being killed. */
import { join } from 'node:path'
import * as rx from 'rxjs'
import { run } from 'spillway'
import { fileStore, ndjsonFiles } from 'spillway/node'
import type { GoOn, Report } from './messages.ts'
import { announced, type Phase, slowed, watched } from './phases.ts'
import { Flight, HourlyDelay, hourlyDelays } from './pipeline.ts'

const [folder, mode, ...files] = process.argv.slice(2) as [string, 'stoppable' | 'timed', ...string[]]
const resultsPerSecondInEachTask = 4_000

const tell = (report: Report) => process.send!(report)
const told$ = rx.fromEvent(process, 'message', (told: GoOn) => told)
process.on('disconnect', () => process.exit(1))

/** Tells of a phase and waits until told to go on; while checkpoints are timed, nothing waits. */
const announce = (phase: Phase): rx.Observable<never> =>
  rx.defer(() => {
    if (mode === 'timed') return rx.EMPTY
    announcements += 1
    const announcement = announcements
    tell({ kind: 'phase', phase, announcement })
    return told$.pipe(
      rx.first(told => told.announcement === announcement),
      rx.ignoreElements(),
    )
  })
let announcements = 0

const hour$ = new rx.Subject<number>()
const delays = slowed(ndjsonFiles(join(folder, 'delays'), HourlyDelay), {
  recordsPerSecond: resultsPerSecondInEachTask,
})
const late = ndjsonFiles(join(folder, 'late'), Flight)
const pipelines = hourlyDelays(files, {
  delays: watched(announced(delays, announce), batch => hour$.next(batch.at(-1)!.hourMs)),
  late: announced(late, announce),
})

const job = run(pipelines, {
  parallelism: 4,
  store: fileStore(join(folder, 'checkpoints')),
  checkpoints: { everyMs: 1_000, alignment: 'unaligned' },
})

job.status$.subscribe(status => {
  if (status.kind !== 'running') return
  const from = status.resumedFrom
  const { buffersMax, recordsMax } = job.buffers
  tell({
    kind: 'running',
    restored: from && { checkpoint: from.checkpoint, recordsInFlight: from.recordsInFlight },
    bound: { buffersMax, recordsMax },
  })
})
const completed$ = job.checkpoints$.pipe(rx.filter(report => report.outcome === 'completed'))
completed$.subscribe(({ id, summary }) => tell({ kind: 'checkpoint', checkpoint: id, summary }))
const [beginMs, endMs] = [Date.UTC(2001, 0, 1), Date.UTC(2001, 6, 1)]
hour$.pipe(rx.throttleTime(200)).subscribe(hourMs => {
  tell({ kind: 'progress', fraction: (hourMs - beginMs) / (endMs - beginMs) })
})

/** One of each kind in turns, so that both meet the same backpressure. */
const timeCheckpoints = async () => {
  await rx.firstValueFrom(completed$)
  for (const alignment of ['aligned', 'unaligned', 'aligned', 'unaligned', 'aligned', 'unaligned'] as const) {
    const { durationMs } = await job.triggerCheckpoint({ alignment })
    tell({ kind: 'timed', alignment, durationMs })
  }
}

await Promise.all([job.done, mode === 'timed' && timeCheckpoints()])
process.removeAllListeners('disconnect')
process.disconnect()
