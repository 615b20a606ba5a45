import type { Request } from './request.ts'
import type { S3Methods } from './s3Methods.ts'

export interface PutInPartsOptions {
  readonly client: S3Methods
  readonly request: Request
  readonly signal: AbortSignal
  readonly partBytes: number
}

/** What is to be written, and where, but for its bytes. */
export interface Written {
  readonly Bucket: string
  readonly Key: string
  readonly Metadata: Record<string, string>
}

/**
 * Puts an object in parts; nobody sees it before the last step, which is the conditional one. An upload that fails is given up
 * once no part of it is under way any longer, since one that arrives afterwards would stay.
 */
export async function putInParts(written: Written, bytes: Uint8Array, options: PutInPartsOptions): Promise<void> {
  const { client, request, signal } = options
  const { Bucket, Key } = written
  const { UploadId = '' } = await request(signal, how => client.createMultipartUpload(written, how))
  const upload = { Bucket, Key, UploadId }
  try {
    const Parts = await putParts(upload, bytes, options)
    await request(signal, how =>
      client.completeMultipartUpload({ ...upload, MultipartUpload: { Parts }, IfNoneMatch: '*' }, how),
    )
  } catch (error) {
    // Nobody waits for it: what a server that does not answer keeps is the bucket's lifecycle rule's.
    client.abortMultipartUpload(upload).catch(() => {})
    throw error
  }
}

async function putParts(
  upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string },
  bytes: Uint8Array,
  { client, request, signal, partBytes }: PutInPartsOptions,
): Promise<Part[]> {
  const count = Math.ceil(bytes.length / partBytes)
  const parts: Part[] = []
  let begun = 0
  const putSome = async () => {
    while (begun < count) {
      const i = begun++
      const Body = bytes.subarray(i * partBytes, (i + 1) * partBytes)
      const part = { ...upload, PartNumber: i + 1, Body }
      const { ETag } = await request(signal, how => client.uploadPart(part, how)).catch(error => {
        begun = count
        throw error
      })
      parts[i] = ETag === undefined ? { PartNumber: i + 1 } : { ETag, PartNumber: i + 1 }
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: partsAtATime }, putSome))
  const failed = outcomes.find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
  return parts
}

interface Part {
  readonly ETag?: string
  readonly PartNumber: number
}

const partsAtATime = 4
