/**
 * What the store asks of a client: `new S3({...})` of `@aws-sdk/client-s3` (version 3) has it. Written down here, so that nothing
 * loads the SDK, nor its types, for those who do not use it.
 */
export interface S3Methods {
  putObject(
    input: Named & Metadata & { readonly Body: Uint8Array; readonly IfNoneMatch: '*' },
    options: Abortable,
  ): Promise<unknown>
  getObject(
    input: Named & { readonly Range?: string },
    options: Abortable,
  ): Promise<{ readonly Body?: { transformToByteArray(): Promise<Uint8Array> } | undefined }>
  headObject(
    input: Named,
    options: Abortable,
  ): Promise<{ readonly Metadata?: Readonly<Record<string, string>> | undefined }>
  deleteObject(input: Named, options: Abortable): Promise<unknown>
  listObjectsV2(
    input: { readonly Bucket: string; readonly Prefix: string; readonly ContinuationToken?: string },
    options: Abortable,
  ): Promise<{
    readonly Contents?: readonly { readonly Key?: string | undefined }[] | undefined
    readonly NextContinuationToken?: string | undefined
  }>
  createMultipartUpload(
    input: Named & Metadata,
    options: Abortable,
  ): Promise<{ readonly UploadId?: string | undefined }>
  uploadPart(
    input: Named & Upload & { readonly PartNumber: number; readonly Body: Uint8Array },
    options: Abortable,
  ): Promise<{ readonly ETag?: string | undefined }>
  completeMultipartUpload(
    input: Named &
      Upload & {
        readonly MultipartUpload: { readonly Parts: { readonly ETag?: string; readonly PartNumber: number }[] }
        readonly IfNoneMatch: '*'
      },
    options: Abortable,
  ): Promise<unknown>
  abortMultipartUpload(input: Named & Upload): Promise<unknown>
}

interface Named {
  readonly Bucket: string
  readonly Key: string
}

interface Metadata {
  readonly Metadata: Record<string, string>
}

interface Upload {
  readonly UploadId: string
}

interface Abortable {
  readonly abortSignal?: AbortSignal
}
