import { lastValueFrom } from 'rxjs'
import { expect, test } from 'vitest'
import { SpillwayError } from '../../lib/error.ts'
import { fromPromises, type PromiseStore } from '../../lib/store/fromPromises.ts'
import { asyncStore } from './asyncStore.ts'

test('what an async function rejects with is STORE_FAILED, naming the object', async () => {
  const failing: PromiseStore = { ...asyncStore(), put: () => Promise.reject(new Error('503 slow down')) }
  const failure: SpillwayError = await lastValueFrom(fromPromises(failing).put('a/b', Uint8Array.of())).catch(e => e)
  expect(failure).toBeInstanceOf(SpillwayError)
  expect(failure.code).toBe('STORE_FAILED')
  expect(failure.message).toContain('a/b')
  expect(failure.message).toContain('503 slow down')
  expect((failure.cause as Error).message).toBe('503 slow down')
})

test('what a function throws before its promise is STORE_FAILED too', async () => {
  const failing: PromiseStore = {
    ...asyncStore(),
    entries: () => {
      throw new Error('no network')
    },
  }
  await expect(lastValueFrom(fromPromises(failing).entries())).rejects.toMatchObject({ code: 'STORE_FAILED' })
})

test('an error that has a code keeps it', async () => {
  const denied = new SpillwayError('STORE_FAILED', { place: 'a bucket', problem: 'denied.', remedy: 'Ask for rights.' })
  const failing: PromiseStore = { ...asyncStore(), list: () => Promise.reject(denied) }
  await expect(lastValueFrom(fromPromises(failing).list(''))).rejects.toBe(denied)
})

test('unsubscribing aborts the signal, and nothing is emitted any longer', async () => {
  let aborted = false
  let answer: (value: 'stored') => void = () => {}
  const slow: PromiseStore = {
    ...asyncStore(),
    put: (_object, _bytes, signal) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return new Promise(resolve => {
        answer = resolve
      })
    },
  }
  const emitted: unknown[] = []
  const subscription = fromPromises(slow)
    .put('a', Uint8Array.of())
    .subscribe(value => emitted.push(value))
  expect(aborted).toBe(false)
  subscription.unsubscribe()
  expect(aborted).toBe(true)
  answer('stored')
  await new Promise(resume => setTimeout(resume))
  expect(emitted).toEqual([])
})
