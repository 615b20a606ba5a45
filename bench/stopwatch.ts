import { readFileSync } from 'node:fs'

/**
 * Starts to count; the result gives the ms since then, less those in which this thread was ready to run and other processes
 * had the processors. Waiting for a disk or a timer counts. Only Linux tells of the former; elsewhere it is wall-clock time.
 */
export const stopwatch = (): (() => number) => {
  const begunMs = clockMs()
  return () => clockMs() - begunMs
}

const clockMs = (): number => performance.now() - waitedMs()

/** The second figure of schedstat: ns spent in the run queue. The main thread's id is the process's. */
const waitedMs = (): number => {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}
