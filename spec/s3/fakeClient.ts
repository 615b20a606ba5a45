import type { S3Methods } from 'spillway/s3'

/** What a service answers that is no success. */
export const refusal = (name: string, httpStatusCode: number): Error =>
  Object.assign(new Error(name), { name, $metadata: { httpStatusCode } })

export type Method = keyof S3Methods
/** Around a request: `act` carries it out; what this throws is what the client sees. */
export type Around = (method: Method, act: () => unknown, key: string) => unknown

/** A bucket in memory that answers at once; `around` loses, repeats and refuses requests. */
export const fakeClient = (around: Around = (_, act) => act()) => {
  const objects = new Map<string, { body: Uint8Array; metadata: Readonly<Record<string, string>> }>()
  const uploads = new Map<string, { metadata: Readonly<Record<string, string>>; parts: Map<number, Uint8Array> }>()
  const log: Method[] = []
  let made = 0

  const found = (key: string) => {
    const object = objects.get(key)
    if (object === undefined) throw refusal('NoSuchKey', 404)
    return object
  }
  const create = (key: string, body: Uint8Array, metadata: Readonly<Record<string, string>>) => {
    if (objects.has(key)) throw refusal('PreconditionFailed', 412)
    objects.set(key, { body, metadata })
  }
  const upload = (id: string) => {
    const open = uploads.get(id)
    if (open === undefined) throw refusal('NoSuchUpload', 404)
    return open
  }
  const answer =
    <I extends { readonly Key?: string; readonly Prefix?: string }, A>(method: Method, act: (input: I) => A) =>
    async (input: I): Promise<A> => {
      log.push(method)
      return (await around(method, () => act(input), input.Key ?? input.Prefix ?? '')) as A
    }

  const client: S3Methods = {
    putObject: answer('putObject', ({ Key, Body, Metadata }) => create(Key, Body, Metadata)),
    getObject: answer('getObject', ({ Key }) => {
      const { body } = found(Key)
      return { Body: { transformToByteArray: async () => body } }
    }),
    headObject: answer('headObject', ({ Key }) => ({ Metadata: found(Key).metadata })),
    deleteObject: answer('deleteObject', ({ Key }) => objects.delete(Key)),
    listObjectsV2: answer('listObjectsV2', ({ Prefix }) => ({
      Contents: [...objects.keys()].filter(key => key.startsWith(Prefix)).map(Key => ({ Key })),
    })),
    createMultipartUpload: answer('createMultipartUpload', ({ Metadata }) => {
      const UploadId = `upload ${++made}`
      uploads.set(UploadId, { metadata: Metadata, parts: new Map() })
      return { UploadId }
    }),
    uploadPart: answer('uploadPart', ({ UploadId, PartNumber, Body }) => {
      upload(UploadId).parts.set(PartNumber, Body)
      return { ETag: `part ${PartNumber}` }
    }),
    completeMultipartUpload: answer('completeMultipartUpload', ({ Key, UploadId, MultipartUpload }) => {
      const { metadata, parts } = upload(UploadId)
      const body = MultipartUpload.Parts.map(({ PartNumber }) => parts.get(PartNumber) as Uint8Array)
      create(Key, Buffer.concat(body), metadata)
      uploads.delete(UploadId)
    }),
    abortMultipartUpload: answer('abortMultipartUpload', ({ UploadId }) => uploads.delete(UploadId)),
  }
  return { client, objects, uploads, log }
}
