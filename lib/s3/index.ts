export type { S3Methods } from './s3Methods.ts'
export { type S3StoreOptions, s3Store } from './s3Store.ts'
