import { expect, test } from 'vitest'
import { global } from '../../lib/coordination/policy.ts'
import { zlib } from '../../lib/node/zlib.ts'
import { type RunOptions, settings } from '../../lib/runtime/options.ts'
import type { Encoding } from '../../lib/snapshot/encoding.ts'
import { memoryStore } from '../../lib/store/memoryStore.ts'

const json: Encoding = {
  name: 'json',
  encode: value => new TextEncoder().encode(JSON.stringify(value)),
  decode: bytes => JSON.parse(new TextDecoder().decode(bytes)),
}

test('every option has a default', () => {
  expect(settings({})).toEqual({
    parallelism: 1,
    keyGroups: 128,
    store: undefined,
    restore: 'latest',
    restart: { kind: 'none' },
    acceptLoss: [],
    checks: false,
    checkpoints: {
      everyMs: undefined,
      timeoutMs: 600_000,
      alignment: 'aligned',
      guarantee: 'exactly-once',
      retainedCount: 1,
      historyCount: 10,
      inlineBytesMax: 20_480,
      encoding: expect.objectContaining({ name: 'msgpack' }),
      oldCompressions: [],
      tasksPerFile: 5,
      incremental: { deltasMax: 32, bytesPercentMax: 200 },
      minPauseMs: 0,
      tolerableFailures: Number.POSITIVE_INFINITY,
      publishTimeoutMs: 600_000,
      policy: global(),
    },
    channels: { buffersMax: 8, bufferRecordsMax: 256, flushMs: 100, overdraftBuffersMax: 5 },
  })
})

test('what is given is taken, the rest keeps its default', () => {
  const store = memoryStore()
  const given = settings({
    parallelism: 4,
    store,
    restore: 'none',
    checks: true,
    checkpoints: { everyMs: 10 },
    channels: { flushMs: 0.5 },
  })
  expect(given).toMatchObject({
    parallelism: 4,
    restore: 'none',
    checks: true,
    checkpoints: { everyMs: 10, retainedCount: 1 },
  })
  expect([given.store, given.channels.flushMs, given.channels.buffersMax]).toEqual([store, 0.5, 8])
})

test('an option that is undefined is as if left out', () => {
  const given = { parallelism: undefined, store: undefined, checkpoints: undefined, channels: { flushMs: undefined } }
  expect(settings(given as unknown as RunOptions)).toEqual(settings({}))
})

const refusals: readonly (readonly [options: Record<string, unknown>, says: string])[] = [
  [{ parallelism: 0 }, 'run options: parallelism: expected a whole number of at least 1, found 0'],
  [{ parallelism: 1.5 }, 'parallelism: expected a whole number of at least 1, found 1.5'],
  [{ parallelism: Number.NaN }, 'parallelism: expected a whole number of at least 1, found NaN'],
  [{ parallelism: '4' }, 'parallelism: expected a whole number of at least 1, found "4"'],
  [{ keyGroups: 32_769 }, 'keyGroups: expected a whole number from 1 to 32768, found 32769'],
  [{ store: 'checkpoints/' }, 'store: expected a Store, found "checkpoints/"'],
  [{ store: {} }, 'store: expected a Store'],
  [{ acceptLoss: true }, 'acceptLoss: expected'],
  [{ restore: 'newest' }, 'restore: expected'],
  [{ restart: 'always' }, 'restart: expected none(), fixedDelay(...), exponentialDelay(...) or failureRate(...)'],
  [{ checks: 1 }, 'checks: expected boolean, found 1'],
  [{ checkpoints: 5 }, 'checkpoints: expected'],
  [{ checkpoints: null }, 'checkpoints: expected'],
  [{ checkpoints: { everyMs: 0 } }, 'checkpoints.everyMs: expected a duration in ms above 0, or Infinity, found 0'],
  [{ checkpoints: { timeoutMs: 2 ** 31 } }, 'checkpoints.timeoutMs: expected a duration in ms above 0'],
  [
    { checkpoints: { timeoutMs: Number.POSITIVE_INFINITY } },
    'checkpoints.timeoutMs: expected a duration in ms above 0',
  ],
  [{ checkpoints: { alignment: 'both' } }, 'checkpoints.alignment: expected'],
  [{ checkpoints: { alignment: { alignedTimeoutMs: 0 } } }, 'checkpoints.alignment: expected'],
  [{ checkpoints: { alignment: { alignedTimeoutMs: 5, or: 6 } } }, 'checkpoints.alignment: expected'],
  [{ checkpoints: { guarantee: 'at-most-once' } }, 'checkpoints.guarantee: expected'],
  [
    { checkpoints: { guarantee: 'at-least-once', alignment: 'unaligned' } },
    "with the guarantee 'at-least-once' no barrier overtakes data",
  ],
  [
    { checkpoints: { guarantee: 'at-least-once', alignment: { alignedTimeoutMs: 5 } } },
    "with the guarantee 'at-least-once' no barrier overtakes data",
  ],
  [
    { checkpoints: { encoding: { name: 'json', encode: () => new Uint8Array() } } },
    'checkpoints.encoding: expected an Encoding with a name of 1 to 255 bytes',
  ],
  [
    { checkpoints: { encoding: json } },
    'checkpoints.encoding: the encoding "json" does not keep what snapshots are made of (',
  ],
  [
    { checkpoints: { compression: 'zlib' } },
    'checkpoints.compression: expected a Compression with a name of 1 to 255 bytes',
  ],
  [{ checkpoints: { compression: { ...zlib(), name: '' } } }, 'checkpoints.compression: expected a Compression'],
  [{ checkpoints: { oldCompressions: [{ name: 'zlib' }] } }, 'checkpoints.oldCompressions[0]: expected a Compression'],
  [{ checkpoints: { retainedCount: 0 } }, 'checkpoints.retainedCount: expected a whole number of at least 1, found 0'],
  [
    { channels: { overdraftBuffersMax: -1 } },
    'channels.overdraftBuffersMax: expected a whole number of at least 0, found -1',
  ],
  [{ channels: { bufferRecordsMax: 0 } }, 'channels.bufferRecordsMax: expected a whole number of at least 1, found 0'],
]

test.each(refusals)('%j is refused', (options, says) => {
  expect(() => settings(options as RunOptions)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(says) }),
  )
})

const unknown: readonly (readonly [options: Record<string, unknown>, place: string, remedy: string])[] = [
  [
    { paralelism: 4 },
    'run options.paralelism',
    'There are: parallelism, keyGroups, store, restore, restart, acceptLoss, checks, checkpoints, channels.',
  ],
  [
    { checkpoints: { every: 4 } },
    'run options.checkpoints.every',
    'There are: everyMs, backlogEveryMs, schedule, timeoutMs, alignment, minPauseMs, tolerableFailures, policy, guarantee, retainedCount, historyCount, inlineBytesMax, encoding, compression, oldCompressions, tasksPerFile, incremental, publishTimeoutMs.',
  ],
  [{ toString: 1 }, 'run options.toString', 'There are'],
]

test.each(unknown)('%j is unknown', (options, place, remedy) => {
  expect(() => settings(options as RunOptions)).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_OPTION', place, remedy: expect.stringContaining(remedy) }),
  )
})

test('a least size of buffers above the largest is refused, the largest itself is taken', () => {
  const sized = (minBufferRecords: number) =>
    settings({ channels: { bufferRecordsMax: 100, debloat: { minBufferRecords } } }).channels.debloat?.minSize
  expect(sized(100)).toBe(100)
  expect(() => sized(101)).toThrow(
    /minBufferRecords: it is 101, but a buffer has 100 records at the most.*INVALID_OPTION/,
  )
})
