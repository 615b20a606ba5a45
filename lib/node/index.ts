export { type FileStoreOptions, fileStore } from './fileStore.ts'
export type { FileEntry, FileSystem, OpenFile } from './fileSystem.ts'
export { ndjsonFile } from './ndjsonFile.ts'
export { type NdjsonFilesOptions, ndjsonFiles } from './ndjsonFiles.ts'
