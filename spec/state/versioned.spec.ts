import * as Either from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { type SpillwayError, versioned } from 'spillway'
import { describe, expect, test } from 'vitest'
import { OperatorState } from '../../lib/state/operatorState.ts'

const first = t.type({ total: t.number })
const second = t.type({ total: t.number, count: t.number })
const third = t.type({ mean: t.number })

const migrations = {
  1: { codec: first, migrate: ({ total }: t.TypeOf<typeof first>) => ({ total, count: 1 }) },
  2: { codec: second, migrate: ({ total, count }: t.TypeOf<typeof second>) => ({ mean: total / count }) },
}
const v2 = versioned({ version: 2, codec: second, migrations: { 1: migrations[1] } })
const v3 = versioned({ version: 3, codec: third, migrations })
/** It has forgotten version 1. */
const v3only = versioned({ version: 3, codec: third, migrations: { 2: migrations[2] } })

const stored = {
  v1: { total: 6 },
  v2: v2.encode({ total: 6, count: 3 }),
  v3: v3.encode({ mean: 2 }),
}

describe('a value is read through the migrations from its version on', () => {
  const cases: readonly [claim: string, codec: t.Type<any, any>, value: unknown, read: unknown][] = [
    ['1 -> 2', v2, stored.v1, { total: 6, count: 1 }],
    ['2 as it is', v2, stored.v2, { total: 6, count: 3 }],
    ['1 -> 2 -> 3', v3, stored.v1, { mean: 6 }],
    ['2 -> 3', v3, stored.v2, { mean: 2 }],
    ['3 as it is', v3, stored.v3, { mean: 2 }],
    ['within another codec', t.array(v3), [stored.v1, stored.v2, stored.v3], [{ mean: 6 }, { mean: 2 }, { mean: 2 }]],
  ]
  test.each(cases)('%s', (_, codec, value, read) => {
    expect(codec.decode(value)).toEqual(Either.right(read))
  })
})

test('values of version 1 are written as a plain codec writes them', () => {
  expect(versioned({ version: 1, codec: first, migrations: {} }).encode({ total: 1 })).toEqual({ total: 1 })
})

/** What keyed state, and state of a whole task, says at a restore. */
const restored = (codec: t.Type<any, any>, value: unknown): readonly (SpillwayError | undefined)[] => {
  const tables = new Map([['state', [[[0, 'key', value] as const]]]])
  const errorOf = (act: () => unknown): SpillwayError | undefined => {
    try {
      act()
      return undefined
    } catch (error) {
      return error as SpillwayError
    }
  }
  return [
    errorOf(() => new OperatorState('op', 1, { kept: {}, tables }).table('state', codec)),
    errorOf(() =>
      new OperatorState('op', 1, { kept: { state: value }, tables: new Map() }).keep('state', codec, () => value),
    ),
  ]
}

describe('what cannot be read is refused, and says why', () => {
  const failing = versioned({
    version: 2,
    codec: second,
    migrations: {
      1: {
        codec: first,
        migrate: () => {
          throw new Error('no rate for 2001')
        },
      },
    },
  })
  const lying = versioned({ version: 2, codec: second, migrations: { 1: { codec: first, migrate: () => ({}) } } })
  const cases: readonly [claim: string, codec: t.Type<any, any>, value: unknown, code: string, says: string][] = [
    [
      'a later version',
      v2,
      stored.v3,
      'STATE_VERSION_UNKNOWN',
      'state state of operator op: it is stored in version 3, and the codec knows 1, 2.',
    ],
    [
      'one that is forgotten',
      v3only,
      stored.v1,
      'STATE_VERSION_UNKNOWN',
      'stored in version 1, and the codec knows 2, 3.',
    ],
    ['one within another codec', t.array(v2), [stored.v3], 'STATE_VERSION_UNKNOWN', 'version 3'],
    ['any by a codec without versions', t.unknown, stored.v2, 'STATE_VERSION_UNKNOWN', 'and the codec knows 1.'],
    ['the version, but not the value', v3only, { ...(stored.v3 as object), value: 7 }, 'STATE_NOT_MATCHED', 'found 7'],
    ['an older value', v3, { total: 'many' }, 'STATE_NOT_MATCHED', 'total: expected number, found "many"'],
    ['what a migration throws at', failing, stored.v1, 'STATE_NOT_MATCHED', 'no rate for 2001'],
    [
      'what a migration gives that is no such value',
      lying,
      stored.v1,
      'STATE_NOT_MATCHED',
      'migrations from version 1',
    ],
  ]
  test.each(cases)('%s', (_, codec, value, code, says) => {
    const errors = restored(codec, value)
    expect(errors.map(error => error?.code)).toEqual([code, code])
    for (const error of errors) expect(error?.message).toContain(says)
  })
})

test('what a call cannot mean is refused', () => {
  const refused = (version: number, from: readonly number[]) => () =>
    versioned({
      version,
      codec: first,
      migrations: Object.fromEntries(from.map(of => [of, { codec: first, migrate: (value: unknown) => value }])),
    })
  for (const act of [refused(0, []), refused(3, [1]), refused(2, [2]), refused(2, [0, 1]), refused(1.5, [])]) {
    expect(act).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  }
  expect(refused(3, [2])).not.toThrow()
})
