import * as rx from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import type { Store } from 'spillway'
import { type S3StoreOptions, s3Store } from 'spillway/s3'
import { expect, test } from 'vitest'
import { type Around, fakeClient, type Method, refusal } from './fakeClient.ts'

const partBytes = 5 * 2 ** 20
const small = Uint8Array.of(1, 2, 3)
const large = new Uint8Array(2 * partBytes + 1).fill(7)

const set = (around?: Around, options: Partial<S3StoreOptions> = {}) => {
  const fake = fakeClient(around)
  return { ...fake, store: s3Store({ client: fake.client, bucket: 'b', partBytes, ...options }) }
}
const outcome = (call: rx.Observable<unknown>): Promise<string> =>
  rx.lastValueFrom(call).then(
    () => 'done',
    error => error.code,
  )

/** As the SDK does when an answer is lost: the request has been carried out, and is repeated. */
const repeats =
  (of: Method): Around =>
  (method, act, key) => {
    if (method === of && key !== 'conditional') act()
    return act()
  }

const writes: readonly [what: string, method: Method, write: (store: Store) => rx.Observable<void>, taken: string][] = [
  ['an object', 'putObject', store => store.put('a', small), 'OBJECT_EXISTS'],
  ['an entry', 'putObject', store => store.append(1, small), 'FENCED'],
  ['an object in parts', 'completeMultipartUpload', store => store.put('a', large), 'OBJECT_EXISTS'],
  ['an entry in parts', 'completeMultipartUpload', store => store.append(1, large), 'FENCED'],
]

test.each(writes)('%s whose answer is lost, and which the client repeats, is written', async (_, method, write) => {
  const { store, objects } = set(repeats(method))
  expect(await outcome(write(store))).toBe('done')
  expect(objects.size).toBeLessThanOrEqual(2) // An entry, and the key at which the condition has been tried.
})

test.each(writes)('%s of the same bytes by another is that one’s', async (_, method, write, taken) => {
  const { store, client } = set(repeats(method))
  await outcome(write(store))
  expect(await outcome(write(s3Store({ client, bucket: 'b', partBytes })))).toBe(taken)
  expect(await outcome(write(store))).toBe(taken)
})

test.each(writes)('%s that meets another request of its key is tried again', async (_, of, write) => {
  let conflicts = 0
  const { store } = set((method, act, key) => {
    if (method === of && key !== 'conditional' && ++conflicts < 3) throw refusal('ConditionalRequestConflict', 409)
    return act()
  })
  expect([await outcome(write(store)), conflicts]).toEqual(['done', 3])
})

test.each(writes)('%s that meets others for ever is given up', async (_, of, write) => {
  const { store } = set((method, act, key) => {
    if (method === of && key !== 'conditional') throw refusal('ConditionalRequestConflict', 409)
    return act()
  })
  expect(await outcome(write(store))).toBe('STORE_FAILED')
})

test('an upload that another has ended, with nothing written, is STORE_FAILED', async () => {
  const { store, objects } = set((method, act) => {
    if (method === 'completeMultipartUpload') throw refusal('NoSuchUpload', 404)
    return act()
  })
  expect([await outcome(store.put('a', large)), objects.size]).toEqual(['STORE_FAILED', 0])
})

test('an upload is given up once none of its parts is under way', async () => {
  let underWay = 0
  let whenGivenUp: number | undefined
  const { store, uploads } = set(async (method, act) => {
    if (method === 'abortMultipartUpload') whenGivenUp = underWay
    if (method !== 'uploadPart') return act()
    const part = ++underWay
    for (let turn = 0; turn < 10 * part; turn++) await undefined
    underWay--
    if (part === 1) throw refusal('InternalError', 500)
    return act()
  })
  expect([await outcome(store.put('a', large)), whenGivenUp, uploads.size]).toEqual(['STORE_FAILED', 0, 0])
})

test('a server that ignores the condition is refused before the first entry', async () => {
  const { store, objects, log } = set((method, act, key) => {
    if (method === 'putObject') objects.delete(key)
    return act()
  })
  const failure = await rx.lastValueFrom(store.append(1, small)).catch(error => error)
  expect(failure).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('Choose a server') })
  expect([...objects.keys()]).toEqual(['conditional'])
  expect(log).toEqual(['putObject', 'putObject'])
})

test('the condition is tried once a start: twice in a new bucket, then once', async () => {
  const { store, client, log } = set()
  for (const n of [1, 2]) await outcome(store.append(n, small))
  expect(log).toHaveLength(2 + 2)
  log.length = 0
  await outcome(s3Store({ client, bucket: 'b' }).append(3, small))
  expect(log).toHaveLength(1 + 1)
})

test('the key at which it is tried is no object and no entry', async () => {
  const { store } = set()
  await outcome(store.append(1, small))
  expect(await rx.firstValueFrom(rx.zip(store.list(''), store.entries()))).toEqual([[], [1]])
})

const never = () => new Promise<never>(() => {})
const calls: Readonly<Record<string, (store: Store) => rx.Observable<unknown>>> = {
  put: store => store.put('a', small),
  'put in parts': store => store.put('a', large),
  get: store => store.get('a'),
  'get of no bytes': store => store.get('a', { begin: 1, end: 1 }),
  list: store => store.list(''),
  delete: store => store.delete('a'),
  append: store => store.append(1, small),
  entries: store => store.entries(),
  entry: store => store.entry(1),
  deleteEntry: store => store.deleteEntry(1),
}

test.each(Object.entries(calls))('%s that is never answered fails when its time is over', async (_, call) => {
  const scheduler = new TestScheduler(() => {})
  const { store } = set(never, { requestTimeoutMs: 1_000, scheduler })
  let failure: unknown
  call(store).subscribe({ error: error => (failure = error) })
  scheduler.maxFrames = 999
  scheduler.flush()
  await settled()
  expect(failure).toBeUndefined()
  scheduler.maxFrames = 1_000
  scheduler.flush()
  await settled()
  expect(failure).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('No answer came') })
})

test('a body that stops is no answer', async () => {
  const scheduler = new TestScheduler(() => {})
  const stops = { Body: { transformToByteArray: never } }
  const { store } = set(() => stops, { requestTimeoutMs: 1_000, scheduler })
  const failed = outcome(store.get('a'))
  scheduler.maxFrames = 1_000
  scheduler.flush()
  expect(await failed).toBe('STORE_FAILED')
})

test.each([
  ['partBytes', 0],
  ['partBytes', partBytes - 1],
  ['partBytes', partBytes + 0.5],
  ['requestTimeoutMs', 0],
  ['requestTimeoutMs', Number.NaN],
])('%s of %d is refused', (option, value) => {
  const make = () => s3Store({ client: fakeClient().client, bucket: 'b', [option]: value })
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', place: `s3Store, option ${option}` }))
})

/** All that follows from what has been settled has been done. */
const settled = () => new Promise(resume => setImmediate(resume))
