import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { GoOn, Report, Restored, Timed } from './messages.ts'
import type { Phase } from './phases.ts'

export type KillMoment = Phase | 'random'

/** What one process has done, from its start to its end. */
export interface Start {
  readonly restored: Restored | undefined
  readonly completed: readonly number[]
  readonly timed: readonly Timed[]
}

/**
 * Starts the job on the files in a process of its own, where it goes on from what earlier ones have left in the folder,
 * and resolves when that process has ended: killed at the given moment, but not before it has completed a checkpoint, or
 * else done.
 *
 * Rejects if it ends in any other way, or says nothing for 30 seconds.
 */
export const startJob = (
  folder: string,
  options: { files: readonly string[]; kill: KillMoment | undefined; onReport: (report: Report) => void },
): Promise<Start> =>
  new Promise((resolve, reject) => {
    const { files, kill, onReport } = options
    const child = fork(jobPath, [folder, kill === undefined ? 'timed' : 'stoppable', ...files])
    const end = () => child.kill('SIGKILL')
    const silence = setTimeout(() => {
      reject(new Error(`the job has said nothing for ${silenceMaxMs / 1000} s`))
      end()
    }, silenceMaxMs)
    let restored: Restored | undefined
    const completed: number[] = []
    const timed: Timed[] = []

    child.on('message', (report: Report) => {
      silence.refresh()
      onReport(report)
      switch (report.kind) {
        case 'running':
          restored ??= report.restored
          break
        case 'checkpoint':
          completed.push(report.checkpoint)
          if (kill === 'random' && completed.length === 1) setTimeout(end, Math.random() * randomWithinMs)
          break
        case 'phase':
          if (report.phase === kill && completed.length > 0) end()
          // A child that is dead already cannot be told anything, which is no error.
          else child.send({ announcement: report.announcement } satisfies GoOn, () => {})
          break
        case 'timed':
          timed.push(report)
      }
    })
    // `close` comes behind the last message, `exit` need not.
    child.on('close', (code, signal) => {
      clearTimeout(silence)
      if (kill === undefined ? code === 0 : signal === 'SIGKILL') resolve({ restored, completed, timed })
      else reject(new Error(`the job has ended by itself, with ${signal ?? `code ${code}`}`))
    })
  })

const jobPath = fileURLToPath(new URL('job.ts', import.meta.url))
const silenceMaxMs = 30_000
const randomWithinMs = 1_500
