import { asyncScheduler, type SchedulerLike } from 'rxjs'
import { SpillwayError } from '../error.ts'
import { fromPromises } from '../store/fromPromises.ts'
import type { Store } from '../store/store.ts'
import { putInParts, type Written } from './putInParts.ts'
import { requesting } from './request.ts'
import { isBeyondEnd, isConflict, isMissing, isTaken, isUploadGone, s3Failed } from './s3Failures.ts'
import type { S3Methods } from './s3Methods.ts'

export interface S3StoreOptions {
  /** `new S3({ region, ... })` of `@aws-sdk/client-s3`; its retries and credentials are the client's own. */
  readonly client: S3Methods
  /** It must exist. */
  readonly bucket: string
  /** Before all keys, as a folder: `jobs/flights`. Each job has its own; default: the bucket is the job's. */
  readonly prefix?: string
  /** Larger objects are put in parts of so many bytes, four at a time; default 16 MiB, at least 5 MiB. */
  readonly partBytes?: number
  /** For the whole answer to a request, with the client's repetitions; one for each part. Default 60,000. */
  readonly requestTimeoutMs?: number
  /** By which requests time out; default: real time. */
  readonly scheduler?: SchedulerLike
}

/**
 * A store in a bucket of S3, or of a server that speaks its protocol: objects below `objects/` by their names, log entries as numbers
 * below `log/`.
 *
 * Everything is created by a conditional write (`If-None-Match: *`), so the first of several writers wins; the server must know it, as AWS
 * does since 2024, versitygw and SeaweedFS do. Before its first entry the store tries it at the key `conditional`: a server that ignores the
 * condition would let an older run write on. A write whose answer was lost, and which the client repeats, meets itself: each
 * carries a token of its own in its metadata, by which it is known. What a crash leaves of an upload in parts is not listed; a
 * lifecycle rule of the bucket (AbortIncompleteMultipartUpload) tidies it up.
 *
 * Rights: GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload.
 *
 * @throws INVALID_OPTION; STORE_FAILED naming the key, with the remedy for throttling, missing rights, a bucket that is not there
 */
export function s3Store(options: S3StoreOptions): Store {
  const { client, bucket, prefix = '', scheduler = asyncScheduler } = options
  const { partBytes = 16 * mebibyte, requestTimeoutMs = 60_000 } = options
  checkOption('partBytes', partBytes, { atLeast: 5 * mebibyte, remedy: 'S3 takes no smaller parts.' })
  checkOption('requestTimeoutMs', requestTimeoutMs, { atLeast: 1, remedy: 'Give a time in ms.' })
  const request = requesting({ timeoutMs: requestTimeoutMs, scheduler })
  const root = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  const log = `${root}log/`
  const objects = `${root}objects/`
  let keepsConditions = false

  return fromPromises({
    name: `bucket ${bucket}${root === '' ? '' : `, ${root}`}`,
    put: async (object, bytes, signal) =>
      (await create(objects + object, bytes, signal)) === 'created' ? 'stored' : 'exists',
    get: (object, range, signal) => read(objects + object, range, signal),
    list: async (wanted, signal) => (await keysBelow(objects + wanted, signal)).map(key => key.slice(objects.length)),
    delete: (object, signal) => remove(objects + object, signal),
    append: async (n, bytes, signal) => {
      if (!keepsConditions) await tryCondition(signal)
      keepsConditions = true
      return (await create(entryKey(n), bytes, signal)) === 'created' ? 'appended' : 'fenced'
    },
    entries: async signal => (await keysBelow(log, signal)).map(key => Number(key.slice(log.length))),
    entry: (n, signal) => read(entryKey(n), undefined, signal),
    deleteEntry: (n, signal) => remove(entryKey(n), signal),
  })

  function entryKey(n: number): string {
    return log + String(n).padStart(entryDigits, '0')
  }

  async function create(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<'created' | 'exists'> {
    const token = crypto.randomUUID()
    const written: Written = { Bucket: bucket, Key: key, Metadata: { [tokenName]: token } }
    for (let attempt = 1; ; attempt++) {
      try {
        if (bytes.length > partBytes) await putInParts(written, bytes, { client, request, signal, partBytes })
        else await putWhole(written, bytes, signal)
        return 'created'
      } catch (error) {
        if (isConflict(error) && attempt < attemptsMax) continue
        if (!isTaken(error) && !isUploadGone(error)) throw failed(key, error)
        // It may be this very write, or upload, whose answer was lost and which the client has repeated.
        const stands = await tokenAt(key, signal)
        if (stands === token) return 'created'
        if (isTaken(error) || stands !== undefined) return 'exists'
        throw failed(key, error)
      }
    }
  }

  function putWhole(written: Written, bytes: Uint8Array, signal: AbortSignal): Promise<unknown> {
    return request(signal, how => client.putObject({ ...written, Body: bytes, IfNoneMatch: '*' }, how))
  }

  /** Undefined if nothing stands there (any longer), or what nobody of ours has written. */
  async function tokenAt(key: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await request(signal, how => client.headObject({ Bucket: bucket, Key: key }, how))).Metadata?.[tokenName]
    } catch (error) {
      if (isMissing(error)) return undefined
      throw failed(key, error)
    }
  }

  async function tryCondition(signal: AbortSignal): Promise<void> {
    const key = `${root}conditional`
    const isRefused = async () => {
      try {
        await putWhole({ Bucket: bucket, Key: key, Metadata: {} }, new Uint8Array(), signal)
        return false
      } catch (error) {
        if (isTaken(error) || isConflict(error)) return true
        throw failed(key, error)
      }
    }
    if ((await isRefused()) || (await isRefused())) return
    throw new SpillwayError('STORE_FAILED', {
      place: placeOf(key),
      problem: 'the server has written one key twice, against the condition of the request (If-None-Match: *).',
      remedy: 'Choose a server that keeps it: on this one an older run of the job could not be fenced off.',
    })
  }

  async function read(
    key: string,
    range: { begin: number; end: number } | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const named = { Bucket: bucket, Key: key }
    try {
      // There is no header for a range of no bytes.
      if (range !== undefined && range.end <= range.begin) {
        await request(signal, how => client.headObject(named, how))
        return new Uint8Array()
      }
      const part = range === undefined ? named : { ...named, Range: `bytes=${range.begin}-${range.end - 1}` }
      return await request(signal, async how => {
        const { Body } = await client.getObject(part, how)
        return (await Body?.transformToByteArray()) ?? new Uint8Array()
      })
    } catch (error) {
      if (isBeyondEnd(error)) return new Uint8Array()
      if (isMissing(error)) return undefined
      throw failed(key, error)
    }
  }

  async function keysBelow(wanted: string, signal: AbortSignal): Promise<readonly string[]> {
    const keys: string[] = []
    let from: { readonly ContinuationToken?: string } = {}
    for (;;) {
      const asked = { Bucket: bucket, Prefix: wanted, ...from }
      const page = await request(signal, how => client.listObjectsV2(asked, how)).catch(error => {
        throw failed(wanted, error)
      })
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key)
      const { NextContinuationToken: next } = page
      if (next === undefined || next === '') return keys
      from = { ContinuationToken: next }
    }
  }

  async function remove(key: string, signal: AbortSignal): Promise<void> {
    await request(signal, how => client.deleteObject({ Bucket: bucket, Key: key }, how)).catch(error => {
      if (!isMissing(error)) throw failed(key, error)
    })
  }

  function failed(key: string, error: unknown): SpillwayError {
    return s3Failed(placeOf(key), error)
  }

  function placeOf(key: string): string {
    return `bucket ${bucket}, key ${key}`
  }
}

const checkOption = (
  option: string,
  value: number,
  { atLeast, remedy }: { readonly atLeast: number; readonly remedy: string },
): void => {
  if (Number.isSafeInteger(value) && value >= atLeast) return
  throw new SpillwayError('INVALID_OPTION', {
    place: `s3Store, option ${option}`,
    problem: `expected a whole number of at least ${atLeast}, found ${value}.`,
    remedy,
  })
}

/** In an object's metadata. */
const tokenName = 'spillway-write'
const mebibyte = 2 ** 20
/** All safe integers, so that names sort as numbers do. */
const entryDigits = 16
const attemptsMax = 5
