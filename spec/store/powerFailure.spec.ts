import { firstValueFrom, lastValueFrom } from 'rxjs'
import { SpillwayError, type Store } from 'spillway'
import { expect, test } from 'vitest'
import { fileStore } from '../../lib/node/fileStore.ts'
import { type Random, seeded } from '../../lib/testing/simulation/random.ts'
import { type Choose, everyChoice, LosingDisk, type Process } from './losingDisk.ts'

/** What its user knows of a name: its content, and how far the calls on it have come. */
interface Told {
  readonly content: string
  stands: 'begun' | 'durable' | 'being deleted'
}

/** A store and what has been told of it, under the names that a reader would use. */
class Witnessed {
  readonly told: Map<string, Told>
  readonly #store: Store

  constructor(store: Store, told = new Map<string, Told>()) {
    this.#store = store
    this.told = told
  }

  put = (name: string, content = `content of ${name}`) =>
    this.#made(name, content, lastValueFrom(this.#store.put(name, bytesOf(content))))

  append = (n: number, content = `entry ${n}`) =>
    this.#made(`log/${n}`, content, lastValueFrom(this.#store.append(n, bytesOf(content))))

  delete = (name: string) => this.#deleted(name, lastValueFrom(this.#store.delete(name)))
  deleteEntry = (n: number) => this.#deleted(`log/${n}`, lastValueFrom(this.#store.deleteEntry(n)))

  /** What fences an append may be acted on. */
  async appendOrRead(n: number, content: string): Promise<void> {
    try {
      await this.append(n, content)
    } catch (error) {
      if (!(error instanceof SpillwayError && error.code === 'FENCED')) throw error
      const found = new TextDecoder().decode(await firstValueFrom(this.#store.entry(n)))
      this.told.set(`log/${n}`, { content: found, stands: 'durable' })
    }
  }

  async #made(name: string, content: string, done: Promise<unknown>): Promise<void> {
    const told = this.told.get(name) ?? { content, stands: 'begun' }
    this.told.set(name, told)
    await done
    this.told.set(name, { content, stands: 'durable' })
  }

  async #deleted(name: string, done: Promise<unknown>): Promise<void> {
    ;(this.told.get(name) as Told).stands = 'being deleted'
    await done
  }
}

/** What a power failure leaves is what has been told: nothing durable is missing, nothing is there in part, or unheard of. */
const check = async (left: LosingDisk, told: ReadonlyMap<string, Told>): Promise<void> => {
  const store = storeOn(left)
  const found = await contents(store)
  for (const [name, content] of found) expect([name, content]).toEqual([name, told.get(name)?.content])
  for (const [name, { stands }] of told) if (stands === 'durable') expect([...found.keys()]).toContain(name)
}

/** The next start goes on from there: its entry, a new object, and nothing unfinished is left behind. */
const goOn = async (left: LosingDisk): Promise<void> => {
  const store = storeOn(left)
  const entries = await firstValueFrom(store.entries())
  await lastValueFrom(store.append((entries.at(-1) ?? 0) + 1, bytesOf('the next start')))
  await lastValueFrom(store.put('next/object', bytesOf('new')))
  expect(left.filesBelow(`${directory}/tmp`)).toEqual([])
  expect([...(await contents(storeOn(left))).values()]).toContain('new')
}

const contents = async (store: Store): Promise<ReadonlyMap<string, string>> => {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
  const found = new Map<string, string>()
  for (const name of await firstValueFrom(store.list(''))) found.set(name, text(await firstValueFrom(store.get(name))))
  for (const n of await firstValueFrom(store.entries()))
    found.set(`log/${n}`, text(await firstValueFrom(store.entry(n))))
  return found
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const directory = '/mnt/jobs/checkpoints'
const storeOn = (disk: LosingDisk, process?: Process): Store =>
  fileStore(directory, { files: disk.process(process).files })

type Script = (store: Witnessed) => Promise<unknown>

const anObjectAndItsEntry: Script = async store => {
  await store.put('a/b')
  await store.append(1)
}

const scripts: Readonly<Record<string, Script>> = {
  'an object that an entry names': anObjectAndItsEntry,
  'two objects at a time, and two entries': async store => {
    await Promise.all([store.put('e1/c1/a'), store.put('e1/c1/b')])
    await Promise.all([store.append(1), store.put('e1/c2/a')])
    await store.append(2)
  },
  'a folder that is left, removed and made again': async store => {
    await store.put('a/b/c')
    await store.append(1)
    await Promise.all([store.delete('a/b/c'), store.put('a/d/e')])
    await store.put('a/b/f')
    await store.append(2)
  },
  'entries that are deleted behind newer ones': async store => {
    await store.append(1)
    await store.append(2)
    await Promise.all([store.deleteEntry(1), store.append(3)])
    await store.put('a')
  },
}

interface Played {
  readonly disk: LosingDisk
  readonly told: Map<string, Told>
  readonly wasKilled: boolean
}

/** Runs a script in a process that is killed somewhere, or to its end. */
const played = async (script: Script, process: Process, before?: Pick<Played, 'disk' | 'told'>): Promise<Played> => {
  const { disk, told } = before ?? { disk: new LosingDisk(), told: new Map() }
  const running = disk.process(process)
  const store = new Witnessed(fileStore(directory, { files: running.files }), told)
  const outcome = await Promise.race([script(store).then(() => 'done'), running.killed])
  return { disk, told, wasKilled: outcome === 'killed' }
}

/** All that a power failure may leave if that is not much, and some of it otherwise. */
const failures = function* (disk: LosingDisk, { count, random }: { count: number; random: Random }) {
  const some: LosingDisk[] = []
  for (const left of everyChoice(choose => disk.afterPowerFailure(choose))) {
    if (some.push(left) > count) break
  }
  yield* some
  if (some.length <= count) return
  yield disk.afterPowerFailure(options => options - 1)
  for (let i = 0; i < count; i++) yield disk.afterPowerFailure(random.below)
}

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

const said = (where: string) => (error: Error) => {
  throw new Error(`${where}, SEED=${seed}: ${error.message}`)
}

test.each(Object.entries(scripts))(
  '%s: what a power failure leaves at any step is whole, and all that was durable',
  async (_, script) => {
    const random = seeded(seed)
    let checked = 0
    for (const choose of [() => 0, random.below] satisfies Choose[]) {
      for (let killedAt = 1, isOver = false; !isOver; killedAt++) {
        const { disk, told, wasKilled } = await played(script, { killedAt, choose })
        isOver = !wasKilled
        for (const left of failures(disk, { count: 5, random })) {
          const where = `at operation ${killedAt}`
          await check(left, told).catch(said(where))
          if (checked++ % 10 === 0) await goOn(left).catch(said(where))
        }
      }
    }
  },
)

test('what a process that is killed has not synced, the next one does before it says that its own is durable', async () => {
  const random = seeded(seed)
  for (let killedAt = 1, isOver = false; !isOver; killedAt++) {
    const before = await played(anObjectAndItsEntry, { killedAt })
    const { disk, told } = await played(of => of.append(2), {}, before)
    isOver = !before.wasKilled
    for (const left of failures(disk, { count: 5, random })) {
      await check(left, told).catch(said(`first killed at operation ${killedAt}`))
    }
  }
})

test('what fences an append is durable: of two writers, and of one whose sync had failed', async () => {
  const random = seeded(seed)
  for (let round = 0; round < 100; round++) {
    const disk = new LosingDisk()
    const told = new Map<string, Told>()
    const stores = [1, 2].map(() => new Witnessed(storeOn(disk, { choose: random.below }), told))
    // What is lost may be so as soon as one of them knows.
    await Promise.race(stores.map((store, i) => store.appendOrRead(1, `of writer ${i}`)))
    for (const left of failures(disk, { count: 10, random })) await check(left, told).catch(said(`round ${round}`))
  }
  for (let failing = 1; failing <= 3; failing++) {
    const disk = new LosingDisk()
    let syncs = 0
    const fault: Process['fault'] = (_, { what, path }) =>
      what === 'sync' && path.startsWith(directory) && ++syncs === failing ? { when: 'before', code: 'EIO' } : undefined
    const store = new Witnessed(storeOn(disk, { fault }))
    await store.append(1, 'once').catch(() => {})
    await store.appendOrRead(1, 'again')
    for (const left of failures(disk, { count: 10, random }))
      await check(left, store.told).catch(said(`sync ${failing}`))
  }
})
