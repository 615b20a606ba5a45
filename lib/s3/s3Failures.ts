import type { SpillwayError } from '../error.ts'
import { storeFailed } from '../store/failures.ts'

/** The SDK's errors have the service's code for a name, and the answer's status. */
interface Answered {
  readonly name?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

const statusOf = (error: unknown): number | undefined => (error as Answered).$metadata?.httpStatusCode
const nameOf = (error: unknown): string => (error as Answered).name ?? ''

export const isMissing = (error: unknown): boolean => statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket'
export const isBeyondEnd = (error: unknown): boolean => statusOf(error) === 416
/** The condition of a write does not hold: something stands there, perhaps what the write itself has put. */
export const isTaken = (error: unknown): boolean => statusOf(error) === 412
/** The write has met another request of the same key that is under way, and may be tried again. */
export const isConflict = (error: unknown): boolean => statusOf(error) === 409
/** An upload that has been completed, or given up. */
export const isUploadGone = (error: unknown): boolean => nameOf(error) === 'NoSuchUpload'

export const s3Failed = (place: string, error: unknown): SpillwayError => storeFailed(place, error, remedyFor(error))

const remedyFor = (error: unknown): string => {
  const status = statusOf(error)
  if (nameOf(error) === 'NoSuchBucket') return 'Create the bucket, or name another one.'
  if (status === 403 || status === 401)
    return 'Give the client valid credentials, and these the rights that s3Store lists.'
  if (status === 501) return 'The server must know conditional writes (If-None-Match): choose one that does.'
  if (status === 503 || status === 429)
    return 'The service asks for fewer requests: the job goes on with its next checkpoint; raise checkpoints.inlineBytesMax or everyMs.'
  if (status === undefined)
    return 'No answer came: check the network and the endpoint; the job goes on with its next checkpoint.'
  return 'See the cause; the job goes on with its next checkpoint.'
}
