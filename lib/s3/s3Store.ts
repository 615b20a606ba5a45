import { SpillwayError } from '../error.ts'
import { storeFailed } from '../store/failures.ts'
import { fromPromises } from '../store/fromPromises.ts'
import type { Store } from '../store/store.ts'
import type { S3Methods } from './s3Methods.ts'

export interface S3StoreOptions {
  /** `new S3({ region, ... })` of `@aws-sdk/client-s3`; its retries, time-outs and credentials are the client's own. */
  readonly client: S3Methods
  /** It must exist. */
  readonly bucket: string
  /** Before all keys, as a folder: `jobs/flights`. Each job has its own; default: the bucket is the job's. */
  readonly prefix?: string
  /** Larger objects are put in parts of so many bytes, four at a time; default 16 MiB, at least 5 MiB. */
  readonly partBytes?: number
}

/**
 * A store in a bucket of S3, or of a server that speaks its protocol: objects below `objects/` by their names, log entries as numbers
 * below `log/`.
 *
 * Everything is created by a conditional write (`If-None-Match: *`), so the first of several writers wins; the server must know it, as AWS
 * does since 2024, versitygw, SeaweedFS and MinIO do. A write whose answer was lost, and which the client repeats, meets itself:
 * each carries a token of its own in its metadata, by which it is known. What a crash leaves of an upload in parts is not listed; a
 * lifecycle rule of the bucket (AbortIncompleteMultipartUpload) tidies it up.
 *
 * Rights: GetObject, PutObject, DeleteObject, ListBucket, AbortMultipartUpload.
 *
 * @throws STORE_FAILED naming the key, with the remedy for throttling, missing rights, a bucket that is not there
 */
export function s3Store({ client, bucket, prefix = '', partBytes = 16 * mebibyte }: S3StoreOptions): Store {
  checkPartBytes(partBytes)
  const root = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  const name = `bucket ${bucket}${root === '' ? '' : `, ${root}`}`
  const log = `${root}log/`
  const objects = `${root}objects/`

  return fromPromises({
    name,
    put: async (object, bytes, signal) =>
      (await create(objects + object, bytes, signal)) === 'created' ? 'stored' : 'exists',
    get: (object, range, signal) => read(objects + object, range, signal),
    list: async (wanted, signal) => (await keysBelow(objects + wanted, signal)).map(key => key.slice(objects.length)),
    delete: (object, signal) => remove(objects + object, signal),
    append: async (n, bytes, signal) =>
      (await create(entryKey(n), bytes, signal)) === 'created' ? 'appended' : 'fenced',
    entries: async signal => (await keysBelow(log, signal)).map(key => Number(key.slice(log.length))),
    entry: (n, signal) => read(entryKey(n), undefined, signal),
    deleteEntry: (n, signal) => remove(entryKey(n), signal),
  })

  function entryKey(n: number): string {
    return log + String(n).padStart(entryDigits, '0')
  }

  /** Who meets a request that is under way for the same key is told to try again. */
  async function create(key: string, bytes: Uint8Array, abortSignal: AbortSignal): Promise<'created' | 'exists'> {
    const token = crypto.randomUUID()
    const written: Written = { Bucket: bucket, Key: key, Metadata: { [tokenName]: token } }
    for (let attempt = 1; ; attempt++) {
      try {
        await (bytes.length > partBytes ? inParts(written, bytes, abortSignal) : whole(written, bytes, abortSignal))
        return 'created'
      } catch (error) {
        if (statusOf(error) === 409 && attempt < attemptsMax) continue
        if (statusOf(error) !== 412) throw failed(key, error)
        return (await tokenAt(key, abortSignal)) === token ? 'created' : 'exists'
      }
    }
  }

  async function tokenAt(key: string, abortSignal: AbortSignal): Promise<string | undefined> {
    try {
      return (await client.headObject({ Bucket: bucket, Key: key }, { abortSignal })).Metadata?.[tokenName]
    } catch (error) {
      if (isMissing(error)) return undefined // Another's, which is deleted again.
      throw failed(key, error)
    }
  }

  function whole(written: Written, bytes: Uint8Array, abortSignal: AbortSignal): Promise<unknown> {
    return client.putObject({ ...written, Body: bytes, IfNoneMatch: '*' }, { abortSignal })
  }

  async function inParts(written: Written, bytes: Uint8Array, abortSignal: AbortSignal): Promise<void> {
    const { UploadId = '' } = await client.createMultipartUpload(written, { abortSignal })
    const upload = { Bucket: bucket, Key: written.Key, UploadId }
    try {
      const Parts: { ETag?: string; PartNumber: number }[] = []
      const count = Math.ceil(bytes.length / partBytes)
      let begun = 0
      const putSome = async () => {
        while (begun < count) {
          const i = begun++
          const Body = bytes.subarray(i * partBytes, (i + 1) * partBytes)
          const { ETag } = await client.uploadPart({ ...upload, PartNumber: i + 1, Body }, { abortSignal })
          Parts[i] = ETag === undefined ? { PartNumber: i + 1 } : { ETag, PartNumber: i + 1 }
        }
      }
      await Promise.all(Array.from({ length: partsAtATime }, putSome))
      await client.completeMultipartUpload({ ...upload, MultipartUpload: { Parts }, IfNoneMatch: '*' }, { abortSignal })
    } catch (error) {
      await client.abortMultipartUpload(upload).catch(() => {})
      throw error
    }
  }

  async function read(
    key: string,
    range: { begin: number; end: number } | undefined,
    abortSignal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const named = { Bucket: bucket, Key: key }
    const ask = async (): Promise<Uint8Array> => {
      // There is no header for a range of no bytes.
      if (range !== undefined && range.end <= range.begin) {
        await client.headObject(named, { abortSignal })
        return new Uint8Array()
      }
      const Range = range && `bytes=${range.begin}-${range.end - 1}`
      const { Body } = await client.getObject(Range === undefined ? named : { ...named, Range }, { abortSignal })
      return (await Body?.transformToByteArray()) ?? new Uint8Array()
    }
    return ask().catch(error => {
      if (isBeyondEnd(error)) return new Uint8Array()
      if (isMissing(error)) return undefined
      throw failed(key, error)
    })
  }

  async function keysBelow(wanted: string, abortSignal: AbortSignal): Promise<readonly string[]> {
    const keys: string[] = []
    let from: { readonly ContinuationToken?: string } = {}
    for (;;) {
      const page = await asking(wanted, () =>
        client.listObjectsV2({ Bucket: bucket, Prefix: wanted, ...from }, { abortSignal }),
      )
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key)
      const { NextContinuationToken: next } = page
      if (next === undefined || next === '') return keys
      from = { ContinuationToken: next }
    }
  }

  async function remove(key: string, abortSignal: AbortSignal): Promise<void> {
    await client.deleteObject({ Bucket: bucket, Key: key }, { abortSignal }).catch(error => {
      if (!isMissing(error)) throw failed(key, error)
    })
  }

  function asking<T>(key: string, ask: () => Promise<T>): Promise<T> {
    return ask().catch(error => {
      throw failed(key, error)
    })
  }

  function failed(key: string, error: unknown): SpillwayError {
    return storeFailed(`bucket ${bucket}, key ${key}`, error, remedyFor(error))
  }
}

interface Written {
  readonly Bucket: string
  readonly Key: string
  readonly Metadata: Record<string, string>
}

/** The SDK's errors have the service's code for a name, and the answer's status. */
interface Answered {
  readonly name?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

const statusOf = (error: unknown): number | undefined => (error as Answered).$metadata?.httpStatusCode
const nameOf = (error: unknown): string => (error as Answered).name ?? ''

const isMissing = (error: unknown): boolean => statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket'
const isBeyondEnd = (error: unknown): boolean => statusOf(error) === 416

const remedyFor = (error: unknown): string => {
  const status = statusOf(error)
  if (nameOf(error) === 'NoSuchBucket') return 'Create the bucket, or name another one.'
  if (status === 403 || status === 401)
    return 'Give the client valid credentials, and these the rights that s3Store lists.'
  if (status === 501) return 'The server must know conditional writes (If-None-Match): choose one that does.'
  if (status === 503 || status === 429) {
    return 'The service asks for fewer requests: the job goes on with its next checkpoint; raise checkpoints.inlineBytesMax or everyMs.'
  }
  if (status === undefined)
    return 'No answer came: check the network and the endpoint; the job goes on with its next checkpoint.'
  return 'See the cause; the job goes on with its next checkpoint.'
}

const checkPartBytes = (partBytes: number): void => {
  if (Number.isSafeInteger(partBytes) && partBytes >= 5 * mebibyte) return
  throw new SpillwayError('INVALID_OPTION', {
    place: 's3Store.partBytes',
    problem: `expected a whole number of at least ${5 * mebibyte}, found ${partBytes}.`,
    remedy: 'S3 takes no smaller parts; leave it out for 16 MiB.',
  })
}

/** In an object's metadata. */
const tokenName = 'spillway-write'
const mebibyte = 2 ** 20
const partsAtATime = 4
/** All safe integers, so that names sort as numbers do. */
const entryDigits = 16
const attemptsMax = 5
