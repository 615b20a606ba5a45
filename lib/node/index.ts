export { fileStore } from './fileStore.ts'
export { ndjsonFile } from './ndjsonFile.ts'
export { ndjsonFiles } from './ndjsonFiles.ts'
