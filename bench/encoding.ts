import { deserialize, serialize } from 'node:v8'
import { decode, encode } from '@msgpack/msgpack'
import { Encoder as Cbor } from 'cbor-x'
import { msgpackEncoding } from '../lib/snapshot/encoding.ts'
import { findChanged } from '../lib/snapshot/findChanged.ts'
import type { Bench } from './bench.ts'
import { interleaved, median, spread } from './measure.ts'

interface Library {
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
}

interface Compared {
  readonly encodeNs: readonly number[]
  readonly decodeNs: readonly number[]
  readonly bytes: number
}

/** What snapshots are written with, against other kept libraries: size, time, and what comes back as it was. */
export const encoding: Bench<'compared'> = {
  about: 'binary encodings of state and records: bytes, ns an entry, and what comes back as it was',
  parts: {
    compared: async () => {
      const of: Record<string, Record<string, Compared>> = {}
      for (const [load, entries] of Object.entries(loads)) of[load] = await compared(entries)
      return of
    },
  },

  async measure(part) {
    const measured: Record<string, Record<string, Compared>> = await part('compared')
    const figures: Record<string, Record<string, number>> = {}
    for (const [load, byLibrary] of Object.entries(measured)) {
      for (const [name, { encodeNs, decodeNs, bytes }] of Object.entries(byLibrary)) {
        const bytesPerEntry = bytes / entriesInChunk
        console.log(
          `${load.padEnd(10)}${name.padEnd(18)}${bytesPerEntry.toFixed(1).padStart(6)} bytes an entry, encode ${spread(encodeNs)} ns, decode ${spread(decodeNs)} ns`,
        )
        figures[`${load} ${name}`] = { bytesPerEntry, encodeNs: median(encodeNs), decodeNs: median(decodeNs) }
      }
    }
    for (const [name, library] of Object.entries(libraries)) {
      const lost = Object.entries(values).flatMap(([what, value]) => (comesBack(library, value) ? [] : [what]))
      console.log(
        `${name.padEnd(18)}does not give back: ${lost.length === 0 ? '-' : lost.join(', ')}; ${cycles(library)}`,
      )
      figures[`${name} fidelity`] = { lost: lost.length, of: Object.keys(values).length }
    }
    return figures
  },
}

const compared = async (entries: unknown): Promise<Record<string, Compared>> => {
  const names = Object.keys(libraries)
  const of = (name: string) => libraries[name] as Library
  const bytesOf = new Map(names.map(name => [name, of(name).encode(entries)]))
  const sides = (act: (name: string) => unknown) =>
    Object.fromEntries(
      names.map(name => [
        name,
        () => {
          for (let i = 0; i < chunks; i++) act(name)
          return chunks * entriesInChunk
        },
      ]),
    )
  const options = { rounds, warmUps }
  const encodeNs = await interleaved(
    sides(name => of(name).encode(entries)),
    options,
  )
  const decodeNs = await interleaved(
    sides(name => of(name).decode(bytesOf.get(name) as Uint8Array)),
    options,
  )
  return Object.fromEntries(
    names.map(name => [
      name,
      {
        encodeNs: encodeNs[name] as readonly number[],
        decodeNs: decodeNs[name] as readonly number[],
        bytes: (bytesOf.get(name) as Uint8Array).length,
      },
    ]),
  )
}

const comesBack = ({ encode, decode }: Library, value: unknown): boolean => {
  try {
    return findChanged([value], decode(encode([value]))) === undefined
  } catch {
    return false
  }
}

const cycles = ({ encode }: Library): string => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  try {
    return `a cycle is written, as ${encode(cycle).length} bytes`
  } catch {
    return 'a cycle is refused'
  }
}

const entriesInChunk = 1_000
const chunks = 100
const rounds = 9
const warmUps = 2

const each = <A>(make: (i: number) => A): readonly A[] => Array.from({ length: entriesInChunk }, (_, i) => make(i))
const airports = ['ATL', 'ORD', 'DFW', 'DEN', 'LAX', 'SFO']

/** Chunks as snapshots have them. */
const loads: Readonly<Record<string, unknown>> = {
  sums: each(i => [i >> 3, `key-${i}`, i * 7]),
  windows: each(i => [
    i >> 3,
    `key-${i}`,
    [{ startMs: 1.7e12 + i * 3_600_000, endMs: 1.7e12 + (i + 1) * 3_600_000, value: { sum: i / 7, count: i } }],
  ]),
  records: Array.from({ length: 10 }, (_, b) => ({
    kind: 'buffer',
    records: Array.from({ length: 100 }, (_, i) => ({
      origin: airports[i % 6],
      destination: airports[(i + b) % 6],
      departureMs: 1.7e12 + i * 60_000,
      delayMin: (i % 90) - 10,
      distance: i * 25,
    })),
    times: Float64Array.from({ length: 100 }, (_, i) => 1.7e12 + i * 60_000),
    groups: Uint16Array.from({ length: 100 }, (_, i) => i),
  })),
}

/** What records and state may hold. */
const values: Readonly<Record<string, unknown>> = {
  'a Date': new Date(1.7e12 + 1),
  'a bigint of 64 bits': 2n ** 63n - 1n,
  'a bigint of 200 bits': -(2n ** 200n),
  'a Map': new Map<unknown, unknown>([
    [1, 'a'],
    ['1', { b: 2 }],
  ]),
  'a Set': new Set([1, '1', { a: 1 }]),
  'a Uint8Array': Uint8Array.of(1, 2),
  'a Float64Array': Float64Array.of(0.5, Number.NaN),
  'a BigInt64Array': BigInt64Array.of(-1n),
  'an ArrayBuffer': Uint8Array.of(1, 2).buffer,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  undefined: undefined,
  'a member that is undefined': { a: undefined, b: 1 },
  'a RegExp': /a+/giu,
  'a whole number of 53 bits': 2 ** 53 - 1,
}

const cbor = new Cbor({ mapsAsObjects: false, useRecords: true, tagUint8Array: true })

const libraries: Readonly<Record<string, Library>> = {
  msgpackr: msgpackEncoding(),
  'v8.serialize': { encode: serialize, decode: deserialize },
  'cbor-x': {
    encode: value => new Uint8Array(cbor.encode(value)), // a copy, as msgpackEncoding makes one: it may be kept
    decode: bytes => cbor.decode(bytes),
  },
  '@msgpack/msgpack': {
    encode: value => encode(value, { useBigInt64: true }),
    decode: bytes => decode(bytes, { useBigInt64: true }),
  },
}
