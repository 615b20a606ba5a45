import { catchError, concat, EMPTY, map, of, switchMap, tap, throwError } from 'rxjs'
import { memoryStore, SpillwayError, type Store } from 'spillway'
import { storeLaws } from 'spillway/testing'
import { expect, test } from 'vitest'
import { claims, failing } from './failing.ts'

const taken = new SpillwayError('FENCED', { place: 'here', problem: 'it is taken.', remedy: 'None.' })

/** By the law that each breaks: what it does instead of what is right. */
const broken: Readonly<Record<string, (right: Store) => Partial<Store>>> = {
  'an empty store lists nothing': right => ({
    list: prefix => right.list(prefix).pipe(map(names => (names.length === 0 ? ['?'] : names))),
  }),
  'an object is read as it was put': right => ({
    get: (o, r) => right.get(o, r).pipe(map(b => (b.length === 65_536 ? b.fill(0) : b))),
  }),
  'a view is put without its surroundings': right => ({ put: (o, b) => right.put(o, new Uint8Array(b.buffer)) }),
  'a range is cut at the end of the object': right => ({
    get: (o, r) => right.get(o, r === undefined || r.begin < 150 ? r : { begin: 0, end: 1 }),
  }),
  'an empty object has ranges without bytes': right => ({
    get: (o, r) => (r !== undefined && r.end === 0 ? of(new Uint8Array()) : right.get(o, r)),
  }),
  'names of any letters are kept as they are': right => ({
    put: (o, b) => right.put(o.replaceAll('+', ' '), b),
  }),
  'a name is used once, and the first object stays': right => ({
    put: (o, b) => (o === 'a/b' ? right.delete(o).pipe(switchMap(() => right.put(o, b))) : right.put(o, b)),
  }),
  'of several puts of one name at a time one succeeds': right => ({
    put: (o, b) =>
      o === 'a' && [2, 3, 4].includes(b.length)
        ? right.put(o, b).pipe(catchError(() => of(undefined)))
        : right.put(o, b),
  }),
  'a list has the names with the prefix, ascending': right => ({
    list: prefix => right.list(prefix).pipe(map(names => (names.includes('A') ? names.toReversed() : names))),
  }),
  'an object that does not exist is OBJECT_NOT_FOUND': right => ({
    get: (o, r) => (o === 'a/c' ? of(new Uint8Array()) : right.get(o, r)),
  }),
  'a deleted object is gone, and deleting it again is no error': right => ({
    delete: o => (o === 'a/b/c' ? of(undefined) : right.delete(o)),
  }),
  'a log entry is written once, and the first stays': right => ({
    append: (n, b) => (b.length === 3 && n === 2 ? of(undefined) : right.append(n, b)),
  }),
  'of several writers of one entry one succeeds, and the entry is its own': right => ({
    append: (n, b) => (n === 20 ? right.deleteEntry(n).pipe(switchMap(() => right.append(n, b))) : right.append(n, b)),
  }),
  'another store of the place finds what is there, and neither takes what the other has': () => ({}),
  'entries are listed as numbers, and only those there are': right => ({
    entries: () => right.entries().pipe(map(entries => entries.map(String).sort().map(Number))),
  }),
  'objects and entries are apart': right => ({
    list: prefix => right.list(prefix).pipe(map(names => (names.includes('1') ? ['1', '2'] : names))),
  }),
  'a number whose entry is deleted is free again': right => {
    const deleted = new Set<number>()
    return {
      deleteEntry: n => right.deleteEntry(n).pipe(tap(() => deleted.add(n))),
      append: (n, b) => (deleted.has(n) ? throwError(() => taken) : right.append(n, b)),
    }
  },
  'nothing happens before a subscription, and each subscription acts anew': right => ({
    put: (o, b) => {
      if (o !== 'a' || b.length > 1) return right.put(o, b)
      right.put(o, b).subscribe()
      return of(undefined)
    },
  }),
  'every method emits one value and completes': right => ({
    deleteEntry: n => concat(right.deleteEntry(n), n === 1 ? of(undefined) : EMPTY),
  }),
  'bytes handed out belong to the receiver': right => {
    const entries = new Map<number, Uint8Array>()
    return {
      entry: n => {
        const known = entries.get(n)
        return known === undefined ? right.entry(n).pipe(tap(bytes => entries.set(n, bytes))) : of(known)
      },
    }
  },
  'an unsubscribed put leaves the whole object or none, and so does an append': right => ({
    put: (o, b) => (b.length === 100_000 ? right.put(o, b.subarray(1)) : right.put(o, b)),
  }),
}

/** What cannot hold without the other. */
const and: Readonly<Record<string, readonly string[]>> = {
  'an empty store lists nothing': [
    'a list has the names with the prefix, ascending',
    'nothing happens before a subscription, and each subscription acts anew',
  ],
  'a log entry is written once, and the first stays': [
    'of several writers of one entry one succeeds, and the entry is its own',
  ],
}

/** What the second store of a place does instead. */
const brokenSecond: Readonly<Record<string, (right: Store) => Partial<Store>>> = {
  'another store of the place finds what is there, and neither takes what the other has': right => ({
    append: (n, b) => right.append(n, b).pipe(catchError(() => of(undefined))),
  }),
}

const store = (broken: (right: Store) => Partial<Store>) => (): Store => {
  const right = memoryStore()
  return { ...right, ...broken(right) }
}

for (const [law, how] of Object.entries(broken)) {
  test(`there is a store that breaks: ${law}`, async () => {
    const again = (right: Store): Store => ({ ...right, ...brokenSecond[law]?.(right) })
    expect(await failing(storeLaws('broken', store(how), { again }))).toEqual([law, ...(and[law] ?? [])])
  })
}

test('each law of stores is broken by one of these', () => {
  expect(Object.keys(broken)).toEqual(claims(storeLaws('any', memoryStore)))
})
