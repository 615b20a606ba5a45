export { fileStore } from './fileStore.ts'
export { ndjsonFile } from './ndjsonFile.ts'
export { type NdjsonFilesOptions, ndjsonFiles } from './ndjsonFiles.ts'
export { zlib } from './zlib.ts'
