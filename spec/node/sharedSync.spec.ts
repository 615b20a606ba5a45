import { expect, test } from 'vitest'
import { sharedSync } from '../../lib/node/sharedSync.ts'

/** A sync whose ends the spec decides: `begun` holds the directories, in order. */
const scripted = () => {
  const begun: string[] = []
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = []
  const synced = sharedSync(
    directory =>
      new Promise<void>((resolve, reject) => {
        begun.push(directory)
        ends.push({ resolve, reject })
      }),
  )
  return { begun, ends, synced }
}

/** Longer than any chain of promises in question. */
const settled = () => new Promise(resolve => setTimeout(resolve, 0))

const outcome = (promise: Promise<void>, into: string[], name: string) =>
  promise.then(
    () => into.push(`${name} done`),
    () => into.push(`${name} failed`),
  )

test('a sync is not joined once it has begun; all who come meanwhile share the next', async () => {
  const { begun, ends, synced } = scripted()
  const done: string[] = []
  for (const name of ['first', 'second', 'third']) outcome(synced('a'), done, name)
  expect(begun).toEqual(['a'])
  ends[0]?.resolve()
  await settled()
  expect(begun).toEqual(['a', 'a'])
  expect(done).toEqual(['first done'])
  outcome(synced('a'), done, 'fourth')
  ends[1]?.resolve()
  await settled()
  expect(done).toEqual(['first done', 'second done', 'third done'])
  expect(begun).toEqual(['a', 'a', 'a'])
  ends[2]?.resolve()
  await settled()
  expect(done.at(-1)).toBe('fourth done')
})

test('directories do not wait for each other, and one that nobody waits for is begun at once', async () => {
  const { begun, ends, synced } = scripted()
  synced('a')
  synced('b')
  expect(begun).toEqual(['a', 'b'])
  ends[0]?.resolve()
  await settled()
  synced('a')
  expect(begun).toEqual(['a', 'b', 'a'])
})

test('a sync that fails fails those who share it, and the next is begun all the same', async () => {
  const { begun, ends, synced } = scripted()
  const done: string[] = []
  outcome(synced('a'), done, 'first')
  outcome(synced('a'), done, 'second')
  ends[0]?.reject(new Error('EIO'))
  await settled()
  expect(begun).toEqual(['a', 'a'])
  ends[1]?.reject(new Error('EIO'))
  await settled()
  expect(done).toEqual(['first failed', 'second failed'])
  outcome(synced('a'), done, 'third')
  ends[2]?.resolve()
  await settled()
  expect(done).toEqual(['first failed', 'second failed', 'third done'])
})
