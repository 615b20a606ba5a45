import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from 'spillway'
import { fileStore } from 'spillway/node'

/** A file store in a new directory that is gone afterwards. */
export const withFileStore = async <R>(use: (store: Store) => Promise<R>): Promise<R> => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-bench-'))
  try {
    return await use(fileStore(folder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
