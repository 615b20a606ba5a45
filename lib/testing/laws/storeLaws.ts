import { firstValueFrom, lastValueFrom, type Observable, toArray } from 'rxjs'
import { messageOf, SpillwayError } from '../../error.ts'
import type { Store } from '../../store/store.ts'
import { type Law, lawsOf } from './law.ts'
import { expectSame } from './same.ts'

export interface StoreLawsOptions {
  /** Another store of the same place, as a second start of the job has it; default: the very same one. */
  readonly again?: (store: Store) => Store | Promise<Store>
}

/**
 * What every store keeps, but for the durability, which takes a crash to see, and what it does as its medium fails. `make` gives
 * an empty store each time.
 */
export const storeLaws = (
  name: string,
  make: () => Store | Promise<Store>,
  { again = store => store }: StoreLawsOptions = {},
): readonly Law[] => lawsOf(name, laws, async () => withAnother(await make(), again))

interface Stores {
  readonly store: Store
  another(): Promise<Store>
}

const withAnother = (store: Store, again: NonNullable<StoreLawsOptions['again']>): Stores => ({
  store,
  another: async () => again(store),
})

const laws: Readonly<Record<string, (stores: Stores) => Promise<void>>> = {
  'an empty store lists nothing': async ({ store }) => {
    expectSame(await once(store.list('')), { expected: [], where: 'list("")' })
    expectSame(await once(store.entries()), { expected: [], where: 'entries()' })
  },

  'an object is read as it was put': async ({ store }) => {
    for (const size of [0, 1, 255, 65_536, 8_000_000]) {
      await done(store.put(`objects/of/${size}`, bytes(size)))
      expectSame(plain(await once(store.get(`objects/of/${size}`))), { expected: bytes(size), where: `${size} bytes` })
    }
  },

  'a view is put without its surroundings': async ({ store }) => {
    await done(store.put('view', bytes(100).subarray(10, 20)))
    expectSame(plain(await once(store.get('view'))), { expected: bytes(100).slice(10, 20), where: 'get("view")' })
  },

  'a range is cut at the end of the object': async ({ store }) => {
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
      expectSame(plain(await once(store.get('a', { begin, end }))), {
        expected: bytes(100).slice(begin, end),
        where: `range ${begin} to ${end}`,
      })
  },

  'an empty object has ranges without bytes': async ({ store }) => {
    await done(store.put('empty', bytes(0)))
    for (const [begin, end] of [
      [0, 0],
      [0, 10],
      [5, 10],
    ] as const)
      expectSame(plain(await once(store.get('empty', { begin, end }))), {
        expected: bytes(0),
        where: `range ${begin} to ${end}`,
      })
    await failsWith('OBJECT_NOT_FOUND', store.get('not there', { begin: 0, end: 0 }))
  },

  'names of any letters are kept as they are': async ({ store }) => {
    const names = ['ä/ö', 'a b', 'a+b', 'a%20b', '日本/語', '😀', "quote'and&amp;<tag>", '0:map/1=2?3#4'].sort()
    for (const [size, name] of names.entries()) await done(store.put(name, bytes(size)))
    expectSame(await once(store.list('')), { expected: names, where: 'list("")' })
    for (const [size, name] of names.entries())
      expectSame((await once(store.get(name))).length, { expected: size, where: `bytes of "${name}"` })
    await done(store.delete('a+b'))
    expectSame(await once(store.list('a')), { expected: ['a b', 'a%20b'], where: 'list("a")' })
  },

  'a name is used once, and the first object stays': async ({ store }) => {
    await done(store.put('a/b', bytes(3)))
    await failsWith('OBJECT_EXISTS', store.put('a/b', bytes(4)))
    expectSame(plain(await once(store.get('a/b'))), { expected: bytes(3), where: 'get("a/b")' })
  },

  'of several puts of one name at a time one succeeds': async ({ store }) => {
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(size => done(store.put('a', bytes(size)))))
    expectSame(outcomes.filter(({ status }) => status === 'fulfilled').length, {
      expected: 1,
      where: 'puts that succeed',
    })
    const winner = 1 + outcomes.findIndex(({ status }) => status === 'fulfilled')
    expectSame((await once(store.get('a'))).length, { expected: winner, where: 'bytes of the object' })
  },

  'a list has the names with the prefix, ascending': async ({ store }) => {
    for (const name of ['b', 'a/2', 'a/10', 'a%2F1', 'ab/c/d', 'a/b/c', 'A']) await done(store.put(name, bytes(1)))
    expectSame(await once(store.list('')), {
      expected: ['A', 'a%2F1', 'a/10', 'a/2', 'a/b/c', 'ab/c/d', 'b'],
      where: 'list("")',
    })
    expectSame(await once(store.list('a/')), { expected: ['a/10', 'a/2', 'a/b/c'], where: 'list("a/")' })
    expectSame(await once(store.list('a')), {
      expected: ['a%2F1', 'a/10', 'a/2', 'a/b/c', 'ab/c/d'],
      where: 'list("a")',
    })
    expectSame(await once(store.list('a/b')), { expected: ['a/b/c'], where: 'list("a/b")' })
    expectSame(await once(store.list('a/b/c')), { expected: ['a/b/c'], where: 'list("a/b/c")' })
    expectSame(await once(store.list('a/b/c/')), { expected: [], where: 'list("a/b/c/")' })
    expectSame(await once(store.list('x/y')), { expected: [], where: 'list("x/y")' })
  },

  'an object that does not exist is OBJECT_NOT_FOUND': async ({ store }) => {
    await failsWith('OBJECT_NOT_FOUND', store.get('a'))
    await done(store.put('a/b', bytes(1)))
    await failsWith('OBJECT_NOT_FOUND', store.get('a/c', { begin: 0, end: 1 }))
  },

  'a deleted object is gone, and deleting it again is no error': async ({ store }) => {
    await done(store.put('a/b/c', bytes(1)))
    await done(store.put('a/d', bytes(1)))
    await done(store.delete('a/b/c'))
    await done(store.delete('a/b/c'))
    await done(store.delete('never/there'))
    await failsWith('OBJECT_NOT_FOUND', store.get('a/b/c'))
    expectSame(await once(store.list('')), { expected: ['a/d'], where: 'list("")' })
  },

  'a log entry is written once, and the first stays': async ({ store }) => {
    await done(store.append(1, bytes(1)))
    await done(store.append(2, bytes(2)))
    await failsWith('FENCED', store.append(2, bytes(3)))
    expectSame(plain(await once(store.entry(2))), { expected: bytes(2), where: 'entry(2)' })
  },

  'of several writers of one entry one succeeds, and the entry is its own': async ({ store }) => {
    for (let n = 1; n <= 20; n++) {
      const outcomes = await Promise.allSettled([1, 2, 3].map(size => done(store.append(n, bytes(size)))))
      const won = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []))
      expectSame(won.length, { expected: 1, where: `writers of entry ${n} that succeed` })
      expectSame((await once(store.entry(n))).length, { expected: won[0], where: `bytes of entry ${n}` })
      for (const outcome of outcomes)
        if (outcome.status === 'rejected')
          expectCode(outcome.reason, { code: 'FENCED', where: `a second writer of entry ${n}` })
    }
  },

  'another store of the place finds what is there, and neither takes what the other has': async ({
    store,
    another,
  }) => {
    await done(store.put('shared', bytes(1)))
    await done(store.append(1, bytes(1)))
    const second = await another()
    expectSame(await once(second.list('')), { expected: ['shared'], where: 'list("") of the second' })
    expectSame(plain(await once(second.entry(1))), { expected: bytes(1), where: 'entry(1) of the second' })
    await failsWith('OBJECT_EXISTS', second.put('shared', bytes(1)))
    await failsWith('FENCED', second.append(1, bytes(1)))
    await done(second.append(2, bytes(2)))
    await failsWith('FENCED', store.append(2, bytes(2)))
    for (let n = 3; n <= 12; n++) {
      const outcomes = await Promise.allSettled([store, second].map(of => done(of.append(n, bytes(n)))))
      const won = outcomes.filter(({ status }) => status === 'fulfilled').length
      expectSame(won, { expected: 1, where: `stores that succeed with entry ${n}` })
    }
  },

  'entries are listed as numbers, and only those there are': async ({ store }) => {
    for (const n of [10, 9, 100, 1]) await done(store.append(n, bytes(n)))
    expectSame(await once(store.entries()), { expected: [1, 9, 10, 100], where: 'entries()' })
    await done(store.deleteEntry(9))
    await done(store.deleteEntry(9))
    expectSame(await once(store.entries()), { expected: [1, 10, 100], where: 'entries()' })
    await failsWith('OBJECT_NOT_FOUND', store.entry(9))
    await failsWith('OBJECT_NOT_FOUND', store.entry(1000))
  },

  'objects and entries are apart': async ({ store }) => {
    await done(store.append(1, bytes(1)))
    await done(store.put('1', bytes(2)))
    expectSame(await once(store.list('')), { expected: ['1'], where: 'list("")' })
    expectSame(await once(store.entries()), { expected: [1], where: 'entries()' })
  },

  'a number whose entry is deleted is free again': async ({ store }) => {
    await done(store.append(1, bytes(1)))
    await done(store.deleteEntry(1))
    await done(store.append(1, bytes(2)))
    expectSame((await once(store.entry(1))).length, { expected: 2, where: 'bytes of entry 1' })
  },

  'nothing happens before a subscription, and each subscription acts anew': async ({ store }) => {
    const put = store.put('a', bytes(1))
    const append = store.append(1, bytes(1))
    const list = store.list('')
    await pause()
    expectSame(await once(list), { expected: [], where: 'list' })
    expectSame(await once(store.entries()), { expected: [], where: 'entries()' })
    await done(put)
    await done(append)
    expectSame(await once(list), { expected: ['a'], where: 'list' })
    await failsWith('OBJECT_EXISTS', put)
    await failsWith('FENCED', append)
  },

  'every method emits one value and completes': async ({ store }) => {
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
    for (const [i, call] of calls.entries()) {
      const values = await lastValueFrom((call as Observable<unknown>).pipe(toArray()))
      expectSame(values.length, { expected: 1, where: `values of call ${i + 1}` })
    }
  },

  'bytes handed out belong to the receiver': async ({ store }) => {
    await done(store.put('a', bytes(10)))
    await done(store.append(1, bytes(10)))
    for (const read of [store.get('a'), store.get('a', { begin: 0, end: 5 }), store.entry(1)])
      (await once(read)).fill(99)
    expectSame(plain(await once(store.get('a'))), { expected: bytes(10), where: 'get("a")' })
    expectSame(plain(await once(store.entry(1))), { expected: bytes(10), where: 'entry(1)' })
  },

  'an unsubscribed put leaves the whole object or none, and so does an append': async ({ store }) => {
    const large = bytes(100_000)
    for (let i = 0; i < 20; i++) {
      const put = store.put(`a/${i}`, large).subscribe({ error: () => {} })
      const append = store.append(i + 1, large).subscribe({ error: () => {} })
      for (let turn = 0; turn < i; turn++) await pause()
      put.unsubscribe()
      append.unsubscribe()
    }
    await pause()
    for (const name of await once(store.list('')))
      expectSame(plain(await once(store.get(name))), { expected: large, where: 'get(name)' })
    for (const n of await once(store.entries()))
      expectSame(plain(await once(store.entry(n))), { expected: large, where: 'entry(n)' })
  },
}

const bytes = (size: number): Uint8Array => {
  const made = new Uint8Array(size)
  for (let i = 0; i < size; i++) made[i] = (i * 31 + size) % 251
  return made
}

/** A store may hand out a subclass, such as Node's Buffer. */
const plain = (of: Uint8Array): Uint8Array => {
  expectSame(of instanceof Uint8Array, { expected: true, where: 'bytes handed out are a Uint8Array' })
  return new Uint8Array(of)
}

const once = firstValueFrom
const done = (call: Observable<void>): Promise<void> => lastValueFrom(call)
const pause = () => new Promise(resume => setTimeout(resume))

const failsWith = async (code: string, call: Observable<unknown>): Promise<void> => {
  const error: unknown = await lastValueFrom(call).then(
    () => undefined,
    error => error,
  )
  expectCode(error, { code, where: 'the call' })
}

const expectCode = (error: unknown, { code, where }: { readonly code: string; readonly where: string }): void => {
  if (error instanceof SpillwayError && error.code === code) return
  throw new Error(`${where}: expected ${code}, received ${error === undefined ? 'no error' : messageOf(error)}`)
}
