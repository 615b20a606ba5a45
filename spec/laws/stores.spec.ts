import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromPromises, memoryStore, type Store } from 'spillway'
import { fileStore } from 'spillway/node'
import { storeLaws } from 'spillway/testing'
import { afterAll, describe, test } from 'vitest'
import { asyncStore } from '../store/asyncStore.ts'

const root = mkdtempSync(join(tmpdir(), 'spillway-storeLaws-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let directories = 0
const places = new Map<Store, string>()
const inFiles = (directory: string): Store => {
  const store = fileStore(directory)
  places.set(store, directory)
  return store
}

const stores = {
  memoryStore: storeLaws('memoryStore', memoryStore),
  fileStore: storeLaws('fileStore', () => inFiles(join(root, `${++directories}`)), {
    again: store => inFiles(places.get(store) as string),
  }),
  fromPromises: storeLaws('fromPromises', () => fromPromises(asyncStore())),
}

for (const [name, laws] of Object.entries(stores)) {
  describe(name, () => {
    for (const { title, check } of laws) test(title, check)
  })
}
