import { concat, ignoreElements, of } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { expect, test } from 'vitest'
import { memoryStore } from '../../lib/store/memoryStore.ts'

test('a read after a write takes no virtual time', () => {
  const store = memoryStore()
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(({ expectObservable }) => {
    const written$ = concat(store.put('a', Uint8Array.of(1)), store.append(1, Uint8Array.of(2))).pipe(ignoreElements())
    expectObservable(concat(written$, store.list(''), store.entries(), of('end'))).toBe('(abc|)', {
      a: ['a'],
      b: [1],
      c: 'end',
    })
  })
})
