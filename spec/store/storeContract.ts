import { strictEqual as equal, ok, deepStrictEqual as same } from 'node:assert'
import { firstValueFrom, lastValueFrom, type Observable, toArray } from 'rxjs'
import { SpillwayError } from '../../lib/error.ts'
import type { Store } from '../../lib/store/store.ts'

export interface StoreLaw {
  readonly title: string
  /** Throws if the store that `open` gives, empty each time, does not keep the law. */
  readonly check: () => Promise<void>
}

/** What every store keeps, but for the durability, which takes a crash to see. `open` gives an empty store each time. */
export function storeContract(open: () => Store | Promise<Store>): readonly StoreLaw[] {
  return Object.entries(laws).map(([title, law]) => ({ title, check: async () => law(await open()) }))
}

const laws: Readonly<Record<string, (store: Store) => Promise<void>>> = {
  'an empty store lists nothing': async store => {
    same(await once(store.list('')), [])
    same(await once(store.entries()), [])
  },

  'an object is read as it was put': async store => {
    for (const size of [0, 1, 255, 65_536, 1_000_000]) {
      await done(store.put(`objects/of/${size}`, bytes(size)))
      same(plain(await once(store.get(`objects/of/${size}`))), bytes(size))
    }
  },

  'a view is put without its surroundings': async store => {
    await done(store.put('view', bytes(100).subarray(10, 20)))
    same(plain(await once(store.get('view'))), bytes(100).slice(10, 20))
  },

  'a range is cut at the end of the object': async store => {
    await done(store.put('a', bytes(100)))
    const ranges: [number, number][] = [
      [0, 100],
      [0, 1],
      [99, 100],
      [10, 10],
      [50, 1000],
      [100, 200],
      [150, 200],
    ]
    for (const [begin, end] of ranges)
      same(plain(await once(store.get('a', { begin, end }))), bytes(100).slice(begin, end), `range ${begin} to ${end}`)
  },

  'a name is used once, and the first object stays': async store => {
    await done(store.put('a/b', bytes(3)))
    await failsWith('OBJECT_EXISTS', store.put('a/b', bytes(4)))
    same(plain(await once(store.get('a/b'))), bytes(3))
  },

  'of several puts of one name at a time one succeeds': async store => {
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(size => done(store.put('a', bytes(size)))))
    equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    const winner = 1 + outcomes.findIndex(({ status }) => status === 'fulfilled')
    equal((await once(store.get('a'))).length, winner)
  },

  'a list has the names with the prefix, ascending': async store => {
    for (const name of ['b', 'a/2', 'a/10', 'a%2F1', 'ab/c/d', 'a/b/c', 'A']) await done(store.put(name, bytes(1)))
    same(await once(store.list('')), ['A', 'a%2F1', 'a/10', 'a/2', 'a/b/c', 'ab/c/d', 'b'])
    same(await once(store.list('a/')), ['a/10', 'a/2', 'a/b/c'])
    same(await once(store.list('a')), ['a%2F1', 'a/10', 'a/2', 'a/b/c', 'ab/c/d'])
    same(await once(store.list('a/b')), ['a/b/c'])
    same(await once(store.list('a/b/c')), ['a/b/c'])
    same(await once(store.list('a/b/c/')), [])
    same(await once(store.list('x/y')), [])
  },

  'an object that does not exist is OBJECT_NOT_FOUND': async store => {
    await failsWith('OBJECT_NOT_FOUND', store.get('a'))
    await done(store.put('a/b', bytes(1)))
    await failsWith('OBJECT_NOT_FOUND', store.get('a/c', { begin: 0, end: 1 }))
  },

  'a deleted object is gone, and deleting it again is no error': async store => {
    await done(store.put('a/b/c', bytes(1)))
    await done(store.put('a/d', bytes(1)))
    await done(store.delete('a/b/c'))
    await done(store.delete('a/b/c'))
    await done(store.delete('never/there'))
    await failsWith('OBJECT_NOT_FOUND', store.get('a/b/c'))
    same(await once(store.list('')), ['a/d'])
  },

  'a log entry is written once, and the first stays': async store => {
    await done(store.append(1, bytes(1)))
    await done(store.append(2, bytes(2)))
    await failsWith('FENCED', store.append(2, bytes(3)))
    same(plain(await once(store.entry(2))), bytes(2))
  },

  'of several writers of one entry one succeeds, and the entry is its own': async store => {
    for (let n = 1; n <= 20; n++) {
      const outcomes = await Promise.allSettled([1, 2, 3].map(size => done(store.append(n, bytes(size)))))
      const won = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []))
      equal(won.length, 1)
      equal((await once(store.entry(n))).length, won[0])
      for (const outcome of outcomes) if (outcome.status === 'rejected') equal(outcome.reason.code, 'FENCED')
    }
  },

  'entries are listed as numbers, and only those there are': async store => {
    for (const n of [10, 9, 100, 1]) await done(store.append(n, bytes(n)))
    same(await once(store.entries()), [1, 9, 10, 100])
    await done(store.deleteEntry(9))
    await done(store.deleteEntry(9))
    same(await once(store.entries()), [1, 10, 100])
    await failsWith('OBJECT_NOT_FOUND', store.entry(9))
    await failsWith('OBJECT_NOT_FOUND', store.entry(1000))
  },

  'objects and entries are apart': async store => {
    await done(store.append(1, bytes(1)))
    await done(store.put('1', bytes(2)))
    same(await once(store.list('')), ['1'])
    same(await once(store.entries()), [1])
  },

  'nothing happens before a subscription, and each subscription acts anew': async store => {
    const put = store.put('a', bytes(1))
    const append = store.append(1, bytes(1))
    const list = store.list('')
    await pause()
    same(await once(list), [])
    same(await once(store.entries()), [])
    await done(put)
    await done(append)
    same(await once(list), ['a'])
    await failsWith('OBJECT_EXISTS', put)
    await failsWith('FENCED', append)
  },

  'every method emits one value and completes': async store => {
    const calls = [
      store.put('a', bytes(1)),
      store.get('a'),
      store.list(''),
      store.append(1, bytes(1)),
      store.entry(1),
      store.entries(),
      store.deleteEntry(1),
      store.delete('a'),
    ]
    for (const call of calls) equal((await lastValueFrom((call as Observable<unknown>).pipe(toArray()))).length, 1)
  },

  'bytes handed out belong to the receiver': async store => {
    await done(store.put('a', bytes(10)))
    await done(store.append(1, bytes(10)))
    for (const read of [store.get('a'), store.get('a', { begin: 0, end: 5 }), store.entry(1)])
      (await once(read)).fill(99)
    same(plain(await once(store.get('a'))), bytes(10))
    same(plain(await once(store.entry(1))), bytes(10))
  },

  'an unsubscribed put leaves the whole object or none, and so does an append': async store => {
    const large = bytes(100_000)
    for (let i = 0; i < 20; i++) {
      const put = store.put(`a/${i}`, large).subscribe({ error: () => {} })
      const append = store.append(i + 1, large).subscribe({ error: () => {} })
      for (let turn = 0; turn < i; turn++) await pause()
      put.unsubscribe()
      append.unsubscribe()
    }
    await pause()
    for (const name of await once(store.list(''))) same(plain(await once(store.get(name))), large)
    for (const n of await once(store.entries())) same(plain(await once(store.entry(n))), large)
  },
}

const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) % 251)

/** A store may hand out a subclass, such as Node's Buffer. */
function plain(of: Uint8Array): Uint8Array {
  ok(of instanceof Uint8Array)
  return new Uint8Array(of)
}

const once = firstValueFrom
const done = (call: Observable<void>): Promise<void> => lastValueFrom(call)
const pause = () => new Promise(resume => setTimeout(resume))

async function failsWith(code: string, call: Observable<unknown>): Promise<void> {
  const error: unknown = await lastValueFrom(call).then(
    () => undefined,
    error => error,
  )
  ok(error instanceof SpillwayError, `expected ${code}, found ${error}`)
  equal(error.code, code)
}
