import * as t from 'io-ts'
import { NEVER, of } from 'rxjs'
import type { Source, SplitReader } from 'spillway'
import { sourceLaws } from 'spillway/testing'
import { expect, test } from 'vitest'
import { claims, failing } from './failing.ts'

const letters = [...'abcdefghijk']

type Reader = SplitReader<string, any>

/** Two splits of the letters; what is broken replaces a part of the source or of its readers. */
const source = (
  broken: { readonly source?: Partial<Source<string>>; readonly reader?: (right: Reader) => Partial<Reader> } = {},
): Source<string> => ({
  name: 'letters',
  position: t.number,
  splits: () => of(['0', '1']),
  open(_, from = 0) {
    let at = from
    const right: Reader = {
      next(recordsMax) {
        const batch = letters.slice(at, at + recordsMax)
        at += batch.length
        return batch.length > 0 ? batch : 'end'
      },
      ready$: of(undefined),
      position: () => at,
      close() {},
    }
    return { ...right, ...broken.reader?.(right) }
  },
  ...broken.source,
})

let asked = 0
let held = 0
let shared = 0

/** By the law that each breaks. */
const broken: Readonly<Record<string, { readonly source: () => Source<string> }>> = {
  'its splits are the same each time they are asked for, and each is there once': {
    source: () => source({ source: { splits: () => of(asked++ % 2 === 0 ? ['0', '1'] : ['1', '0']) } }),
  },
  'a split gives the same each time it is read, in batches of any size': {
    source: () =>
      source({ reader: right => ({ next: max => right.next(max > 100 ? 3 * letters.length - max : max) }) }),
  },
  'a split read from any position that a reader has reported gives the rest': {
    source: () => source({ reader: right => ({ position: () => (right.position() === 4 ? 3 : right.position()) }) }),
  },
  'a position comes back as it was from its codec and the encoding': {
    source: () => {
      const right = source()
      return {
        ...right,
        position: t.exact(t.type({ at: t.number })),
        open: (split, from) => {
          const reader = right.open(split, from?.at)
          return { ...reader, position: () => ({ at: reader.position(), readAt: 'noon' }) }
        },
      }
    },
  },
  'next gives at most as many records as it is asked for, and none only beside records for side outputs': {
    source: () => source({ reader: right => ({ next: max => right.next(max === 7 ? 8 : max) }) }),
  },
  'a split that has ended stays at its end, also when it is read from there': {
    source: () =>
      source({
        reader: right => {
          let ended = 0
          return {
            next(max) {
              const next = right.next(max)
              if (next === 'end') ended++
              return ended === 2 ? ['once more'] : next
            },
          }
        },
      }),
  },
  "after 'wait', ready$ emits": {
    source: () =>
      source({
        reader: right => {
          let waited = false
          return {
            next(max) {
              if (waited) return right.next(max)
              waited = true
              return 'wait'
            },
            ready$: NEVER,
          }
        },
      }),
  },
  'readers of one split do not disturb each other': {
    source: () =>
      source({
        source: {
          open(_, from = 0) {
            shared = from
            return {
              next(max) {
                const batch = letters.slice(shared, shared + max)
                shared += batch.length
                return batch.length > 0 ? batch : 'end'
              },
              ready$: NEVER,
              position: () => shared,
              close() {},
            }
          },
        },
      }),
  },
  'a closed reader holds nothing, whenever it is closed': {
    source: () => {
      held = 0
      return source({
        reader: right => {
          held++
          let batches = 0
          return {
            next(max) {
              batches++
              return right.next(max)
            },
            close() {
              if (batches > 2) held--
            },
          }
        },
      })
    },
  },
}

const lawsOf = (make: () => Source<string>) => sourceLaws('broken', make, { held: () => Math.max(0, held), waitMs: 10 })

for (const [law, { source }] of Object.entries(broken)) {
  test(`there is a source that breaks: ${law}`, async () => {
    held = 0
    const found = await failing(lawsOf(source))
    // Without it nothing at all is read.
    if (law === "after 'wait', ready$ emits") expect(found).toHaveLength(8)
    else expect(found).toEqual([law])
  })
}

test('each law of sources is broken by one of these, and none by the source that is not', async () => {
  held = 0
  const right = lawsOf(() => source())
  expect(await failing(right)).toEqual([])
  expect(Object.keys(broken)).toEqual(claims(right))
})
