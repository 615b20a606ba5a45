import { type Job, SpillwayError } from 'spillway'

/**
 * Does something while a job without end runs, then cancels the job; gives the result, and how many checkpoints were completed.
 * Rejects if the job ends in any other way, since what is measured then is not a job.
 */
export const whileRunning = async <R>(job: Job, act: () => Promise<R>): Promise<{ result: R; checkpoints: number }> => {
  const endedEarly = job.done.then(
    () => {
      throw new Error('the job has ended by itself')
    },
    (error): never => {
      throw error
    },
  )
  let checkpoints = 0
  job.checkpoints$.subscribe(({ outcome }) => {
    if (outcome === 'completed') checkpoints++
  })
  const result = await Promise.race([act(), endedEarly])
  await job.cancel()
  await endedEarly.catch(error => {
    if (!(error instanceof SpillwayError && error.code === 'CANCELLED')) throw error
  })
  return { result, checkpoints }
}
