import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstValueFrom, lastValueFrom } from 'rxjs'
import { afterAll, describe, expect, test } from 'vitest'
import { SpillwayError } from '../../lib/error.ts'
import { fileStore } from '../../lib/node/fileStore.ts'
import type { Store } from '../../lib/store/store.ts'

const root = mkdtempSync(join(tmpdir(), 'spillway-store-'))
let directories = 0
const newDirectory = () => join(root, `${++directories}`)
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('reading makes no directory, writing makes all that are missing', async () => {
  const directory = join(newDirectory(), 'not', 'there', 'yet')
  const store = fileStore(directory)
  await firstValueFrom(store.list(''))
  await firstValueFrom(store.entries())
  await lastValueFrom(store.delete('a'))
  expect(existsSync(directory)).toBe(false)
  await lastValueFrom(store.put('a/b', bytes))
  expect(readdirSync(join(directory, 'objects', 'a'))).toEqual(['b'])
})

test('a second store of the same directory finds what the first has written', async () => {
  const directory = newDirectory()
  await lastValueFrom(fileStore(directory).put('a/b', bytes))
  await lastValueFrom(fileStore(directory).append(1, bytes))
  const second = fileStore(directory)
  expect(await firstValueFrom(second.list(''))).toEqual(['a/b'])
  expect(await firstValueFrom(second.entry(1))).toEqual(bytes)
  expect(await failureOf(second.append(1, bytes))).toMatchObject({ code: 'FENCED' })
})

test('of two stores racing for each entry of one log exactly one succeeds, and the entry is its own', async () => {
  const directory = newDirectory()
  const stores = [fileStore(directory), fileStore(directory)]
  const wins = [0, 0]
  for (let n = 1; n <= 100; n++) {
    const outcomes = await Promise.allSettled(stores.map((s, i) => lastValueFrom(s.append(n, Uint8Array.of(i)))))
    const won = outcomes.findIndex(({ status }) => status === 'fulfilled')
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((outcomes[1 - won] as PromiseRejectedResult).reason.code).toBe('FENCED')
    expect(await firstValueFrom(stores[0]!.entry(n))).toEqual(Uint8Array.of(won))
    wins[won]!++
  }
  expect(wins[0]! + wins[1]!).toBe(100)
})

test('temporary files are never listed; the first append of a store removes what others have left', async () => {
  const directory = newDirectory()
  await lastValueFrom(fileStore(directory).append(1, bytes))
  writeFileSync(join(directory, 'tmp', '4711-leftover-1'), 'half an obj')
  const store = fileStore(directory)
  expect(await firstValueFrom(store.list(''))).toEqual([])
  expect(await firstValueFrom(store.entries())).toEqual([1])
  await lastValueFrom(store.put('a', bytes))
  expect(readdirSync(join(directory, 'tmp'))).toEqual(['4711-leftover-1'])
  await lastValueFrom(store.append(2, bytes))
  expect(readdirSync(join(directory, 'tmp'))).toEqual([])
})

test('a live writer whose temporary file is removed by a start writes it again', async () => {
  const directory = newDirectory()
  const writer = fileStore(directory)
  await lastValueFrom(writer.append(1, bytes))
  const large = new Uint8Array(2_000_000).fill(7)
  let removed = 0
  for (let i = 0; i < 10; i++) {
    const putting = lastValueFrom(writer.put(`a/${i}`, large))
    for (const left of await whileItLasts(putting, () => readdirSync(join(directory, 'tmp')))) {
      rmSync(join(directory, 'tmp', left), { force: true })
      removed++
    }
    await putting
    expect((await firstValueFrom(writer.get(`a/${i}`))).length).toBe(large.length)
  }
  expect(removed).toBeGreaterThan(0)
})

test('a writer whose folder is removed, being empty, makes it again', async () => {
  const store = fileStore(newDirectory())
  const rounds = Array.from({ length: 100 }, (_, i) => i)
  const put = async () => {
    for (const i of rounds) await lastValueFrom(store.put(`a/b/put${i}`, bytes))
  }
  const remove = async () => {
    for (const i of rounds) {
      await lastValueFrom(store.put(`a/b/removed${i}`, bytes))
      for (const object of await firstValueFrom(store.list('a/b/'))) await lastValueFrom(store.delete(object))
    }
  }
  await Promise.all([put(), remove()])
})

test('deleting the last object of a folder removes the folder', async () => {
  const directory = newDirectory()
  const store = fileStore(directory)
  await lastValueFrom(store.put('a/b/c', bytes))
  await lastValueFrom(store.put('a/d', bytes))
  await lastValueFrom(store.delete('a/b/c'))
  expect(readdirSync(join(directory, 'objects', 'a'))).toEqual(['d'])
  await lastValueFrom(store.delete('a/d'))
  expect(readdirSync(join(directory, 'objects'))).toEqual([])
})

test('an unsubscribed put leaves no temporary file', async () => {
  const directory = newDirectory()
  const store = fileStore(directory)
  await lastValueFrom(store.put('first', bytes))
  const large = new Uint8Array(5_000_000)
  for (let i = 0; i < 20; i++) {
    const subscription = store.put(`a/${i}`, large).subscribe()
    await turns(i)
    subscription.unsubscribe()
  }
  await until(() => readdirSync(join(directory, 'tmp')).length === 0)
  for (const name of await firstValueFrom(store.list('a/')))
    expect((await firstValueFrom(store.get(name))).length).toBe(large.length)
})

describe('STORE_FAILED names the path and the remedy', () => {
  test('when the directory is a file', async () => {
    const directory = newDirectory()
    writeFileSync(directory, 'a file')
    for (const failure of [
      await failureOf(fileStore(directory).put('a', bytes)),
      await failureOf(fileStore(directory).append(1, bytes)),
      await failureOf(fileStore(directory).list('')),
      await failureOf(fileStore(directory).entries()),
      await failureOf(fileStore(join(directory, 'below')).put('a', bytes)),
    ]) {
      expect(failure).toMatchObject({ code: 'STORE_FAILED' })
      expect(failure.message).toContain(directory)
      expect(failure.message).toContain('A file stands where a directory is needed')
    }
  })

  test.skipIf(process.platform === 'win32')('when the directory is not writable', async () => {
    const directory = newDirectory()
    mkdirSync(directory)
    chmodSync(directory, 0o555)
    chmodSync(root, 0o755)
    const said = await putInChild(directory, process.getuid?.() === 0 ? { uid: 65_534 } : {})
    expect(said).toContain('[STORE_FAILED]')
    expect(said).toContain(directory)
    expect(said).toContain('Give the process the right')
  })

  test('when a name is too long for the file system', async () => {
    const failure = await failureOf(fileStore(newDirectory()).put('a'.repeat(300), bytes))
    expect(failure).toMatchObject({ code: 'STORE_FAILED' })
    expect(failure.message).toContain('shorter names')
  })

  test.each(['', '/a', 'a/', 'a//b', '../a', 'a/../../b', '.', 'a\\b', 'a\0b'])('when %j is no name', async name => {
    const directory = newDirectory()
    for (const call of [(s: Store) => s.put(name, bytes), (s: Store) => s.get(name), (s: Store) => s.delete(name)])
      expect(await failureOf(call(fileStore(directory)))).toMatchObject({ code: 'STORE_FAILED' })
    expect(existsSync(directory)).toBe(false)
  })

  // The kernel then fails the write half way, as it does on a full disk.
  test.skipIf(process.platform !== 'linux')(
    'when a file may not get that large, and nothing is left of it',
    async () => {
      const directory = newDirectory()
      const said = await putInChild(directory, { limit: 'ulimit -f 100;' })
      expect(said).toContain('[STORE_FAILED]')
      expect(said).toContain(join(directory, 'objects', 'a', 'b'))
      expect(readdirSync(join(directory, 'tmp'))).toEqual([])
      expect(await firstValueFrom(fileStore(directory).list(''))).toEqual([])
    },
  )
})

const bytes = Uint8Array.of(1, 2, 3)
const runTypeScript = ['--import', 'tsx', '--conditions=@spillway/source']

/** What another process says about putting a megabyte. */
function putInChild(directory: string, { limit = '', ...options }: { limit?: string; uid?: number }): Promise<string> {
  const script = `
    import { lastValueFrom } from 'rxjs'
    import { fileStore } from './lib/node/fileStore.ts'
    const put$ = fileStore(${JSON.stringify(directory)}).put('a/b', new Uint8Array(1e6))
    await lastValueFrom(put$).then(() => console.log('stored'), error => console.log(error.message))`
  const node = [process.execPath, ...runTypeScript, '--input-type=module', '--eval', '"$SCRIPT"'].join(' ')
  return outputOf(
    spawn('bash', ['-c', `${limit} exec ${node}`], { env: { ...process.env, SCRIPT: script }, ...options }),
  )
}

async function failureOf(call: ReturnType<Store['get' | 'put' | 'list' | 'entries']>): Promise<SpillwayError> {
  const failure: unknown = await lastValueFrom<unknown>(call).catch(error => error)
  expect(failure).toBeInstanceOf(SpillwayError)
  return failure as SpillwayError
}

function outputOf(child: ReturnType<typeof spawn>): Promise<string> {
  let said = ''
  child.stdout?.on('data', chunk => {
    said += chunk
  })
  child.stderr?.on('data', chunk => {
    said += chunk
  })
  return new Promise(resolve => child.on('close', () => resolve(said)))
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resume => setImmediate(resume))
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turns(1)
}

/** The first non-empty answer while the work is going on. */
async function whileItLasts(work: Promise<unknown>, ask: () => string[]): Promise<string[]> {
  let over = false
  work.finally(() => {
    over = true
  })
  while (!over) {
    const answer = ask()
    if (answer.length > 0) return answer
    await turns(1)
  }
  return []
}
