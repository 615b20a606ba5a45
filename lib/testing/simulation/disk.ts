import { defer, type Observable } from 'rxjs'
import type { CheckpointId } from '../../element.ts'
import { msgpackEncoding } from '../../snapshot/encoding.ts'
import { type Commit, readEntry } from '../../snapshot/log.ts'
import { fenced, objectExists, objectNotFound, storeFailed } from '../../store/failures.ts'
import { memoryStore } from '../../store/memoryStore.ts'
import type { Store } from '../../store/store.ts'
import { InjectedFault } from './faults.ts'
import type { Process } from './process.ts'
import type { Random } from './random.ts'
import { remotely } from './remotely.ts'

/**
 * The medium of the simulated store: it outlives every process.
 *
 * Operations take effect some time after they are called and answer later, in any order. When their process dies, or
 * nobody waits any longer, those on their way may still take effect, or not. After a power failure some of what has been
 * deleted is back.
 */
export class Disk {
  readonly objects = new Map<string, Uint8Array>()
  readonly log = new Map<number, Uint8Array>()
  /** Brings back what has been deleted lately. */
  readonly #deletions: (() => void)[] = []
  readonly #random: Random
  readonly #latencyMs: number

  constructor(random: Random, options: { readonly latencyMs: number }) {
    this.#random = random
    this.#latencyMs = options.latencyMs
  }

  /** The store as a process sees it. */
  storeOf(process: Process): Store {
    const { objects, log } = this
    const act = (what: string, effect: () => void) => this.#operation(process, { kind: 'change', what, effect })
    const ask = <T>(what: string, effect: () => T) => this.#operation(process, { kind: 'ask', what, effect })
    const read = (what: string, effect: () => Uint8Array) => this.#operation(process, { kind: 'read', what, effect })
    return {
      name,
      put: (object, bytes) =>
        act(`put ${object}`, () => {
          if (objects.has(object)) throw objectExists(name, object)
          objects.set(object, bytes.slice())
        }),
      get: (object, range) =>
        read(`get ${object}`, () => found(objects.get(object), `object ${object}`).slice(range?.begin, range?.end)),
      list: prefix => ask('list', () => [...objects.keys()].filter(object => object.startsWith(prefix)).sort()),
      delete: object => act(`delete ${object}`, () => this.#delete(objects, object)),
      append: (n, bytes) =>
        act(`append ${n}`, () => {
          if (log.has(n)) throw fenced(name, n)
          log.set(n, bytes.slice())
        }),
      entries: () => ask('entries', () => [...log.keys()].sort((a, b) => a - b)),
      entry: n => read(`entry ${n}`, () => found(log.get(n), `log entry ${n}`).slice()),
      deleteEntry: n => act(`deleteEntry ${n}`, () => this.#delete(log, n)),
    }
  }

  /** The log's commit entries. */
  get commits(): readonly Committed[] {
    return [...this.log].flatMap(([n, bytes]) => {
      const entry = readEntry(n, bytes, encoding)
      return entry.kind === 'commit' ? [{ ...entry, n }] : []
    })
  }

  /** The newest durable checkpoint; 0: none. */
  get committed(): CheckpointId {
    return Math.max(0, ...this.commits.map(({ checkpoint }) => checkpoint))
  }

  /** After a power failure. */
  loseDeletions(): void {
    for (const bringBack of this.#deletions.splice(0)) if (this.#random.chance(0.5)) bringBack()
  }

  /** All that it holds, in an order that depends on nothing else. */
  contents(): readonly (readonly [name: string, bytes: Uint8Array])[] {
    const entries = [...this.log].sort(([a], [b]) => a - b).map(([n, bytes]) => [`log/${n}`, bytes] as const)
    return [...[...this.objects].sort(([a], [b]) => (a < b ? -1 : 1)), ...entries]
  }

  /** A plain store with the same content. */
  copy(): Store {
    const store = memoryStore()
    for (const [object, bytes] of this.objects) store.put(object, bytes).subscribe()
    for (const [n, bytes] of this.log) store.append(n, bytes).subscribe()
    return store
  }

  #delete<K>(from: Map<K, Uint8Array>, key: K): void {
    const bytes = from.get(key)
    if (bytes === undefined) return
    from.delete(key)
    this.#deletions.push(() => {
      if (!from.has(key)) from.set(key, bytes)
    })
    if (this.#deletions.length > deletionsLostMax) this.#deletions.shift()
  }

  #operation<T>(process: Process, { kind, what, effect }: Operation<T>): Observable<T> {
    return defer(() => {
      const fault = process.strikes(...faultsOf[kind])
      const usualMs = this.#random.next() * this.#latencyMs * process.storeDelay
      const waitMs = fault === 'storeDelay' ? 1.5 * process.timeoutMs : usualMs
      return remotely(process, waitMs, () => {
        if (kind === 'change') process.world.note('store', what.slice(0, 1))
        if (fault === 'storeFailure') throw injected(what)
        const value = effect()
        if (fault === 'storeInDoubt') throw injected(what)
        return fault === 'partialRead' ? (spoilt(value as Uint8Array, this.#random) as T) : value
      })
    })
  }
}

interface Committed extends Commit {
  readonly n: number
}

interface Operation<T> {
  /** `read` gives bytes. */
  readonly kind: 'change' | 'ask' | 'read'
  readonly what: string
  readonly effect: () => T
}

const faultsOf = {
  change: ['storeFailure', 'storeInDoubt', 'storeDelay'],
  ask: ['storeFailure', 'storeDelay'],
  read: ['storeFailure', 'storeDelay', 'partialRead'],
} as const

/** Cut off somewhere, or with one wrong bit. */
const spoilt = (bytes: Uint8Array, random: Random): Uint8Array => {
  const at = random.below(bytes.length)
  if (random.chance(0.5)) return bytes.slice(0, at)
  return bytes.with(at, (bytes[at] as number) ^ (1 << random.below(8)))
}

const found = (bytes: Uint8Array | undefined, what: string): Uint8Array => {
  if (bytes === undefined) throw objectNotFound(name, what)
  return bytes
}

const injected = (what: string) => storeFailed(`${name}, ${what}`, new InjectedFault('the store fails'))

const name = 'the simulated store'
const encoding = msgpackEncoding()
const deletionsLostMax = 20
