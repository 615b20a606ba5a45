import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as rx from 'rxjs'
import { type Store, stream } from 'spillway'
import { collect, fromIterable, into } from 'spillway/operators'
import { type S3StoreOptions, s3Store } from 'spillway/s3'
import { storeLaws } from 'spillway/testing'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { paced } from '../paced.ts'
import { run } from '../run.ts'
import { type FaultyProxy, proxyBefore } from './proxy.ts'
import { clientOf, clientWithoutTimeouts, howToGetOne, type Server, startServer } from './server.ts'

const server = await startServer()
if (server === undefined) console.warn(`S3 SPECS ARE SKIPPED, as no server can be had: ${howToGetOne}`)
afterAll(() => server?.stop())

let prefixes = 0
const run_ = Date.now()
const newPrefix = () => `${run_}/${++prefixes}`

describe.skipIf(server === undefined)('on a real server', () => {
  const { endpoint, bucket } = server ?? ({} as Server)
  const client = clientOf(endpoint ?? 'http://none')
  const newStore = (options: Partial<S3StoreOptions> = {}): Store =>
    s3Store({ client, bucket, prefix: newPrefix(), ...options })

  const places = new Map<Store, string>()
  const inPlace = (prefix: string): Store => {
    const store = newStore({ prefix })
    places.set(store, prefix)
    return store
  }
  const again = (store: Store) => inPlace(places.get(store) as string)
  for (const { title, check } of storeLaws('s3Store', () => inPlace(newPrefix()), { again })) test(title, check)

  test('lists of several pages are whole', async () => {
    const paged = Object.assign(Object.create(client), {
      listObjectsV2: (input: object, options: object) =>
        client.listObjectsV2({ ...input, MaxKeys: 3 } as never, options),
    })
    const store = newStore({ client: paged })
    const names = Array.from({ length: 10 }, (_, i) => `a/${i}`)
    for (const name of names) await rx.lastValueFrom(store.put(name, bytes(1)))
    for (let n = 1; n <= 7; n++) await rx.lastValueFrom(store.append(n, bytes(1)))
    expect(await rx.firstValueFrom(store.list('a/'))).toEqual(names)
    expect(await rx.firstValueFrom(store.entries())).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test('stores of one bucket with other prefixes are apart, and one of the same prefix finds the same', async () => {
    const [a, b] = [newPrefix(), newPrefix()]
    await rx.lastValueFrom(newStore({ prefix: a }).put('x', bytes(3)))
    await rx.lastValueFrom(newStore({ prefix: a }).append(1, bytes(3)))
    const there = (prefix: string) => rx.firstValueFrom(newStore({ prefix }).list(''))
    expect([await there(a), await there(`${a}/`), await there(b), await there(`${a}0`)]).toEqual([['x'], ['x'], [], []])
    await expect(rx.lastValueFrom(newStore({ prefix: a }).append(1, bytes(3)))).rejects.toMatchObject({
      code: 'FENCED',
    })
  })

  describe('large objects', () => {
    const partBytes = 5 * 2 ** 20
    const large = bytes(2 * partBytes + 17)

    test('are put in parts, and read as a whole or in ranges', async () => {
      const store = newStore({ partBytes })
      await rx.lastValueFrom(store.put('large', large))
      expect(Buffer.compare(await rx.firstValueFrom(store.get('large')), large)).toBe(0)
      const range = { begin: partBytes - 5, end: partBytes + 5 }
      expect(await rx.firstValueFrom(store.get('large', range))).toEqual(large.slice(range.begin, range.end))
    })

    test('given up leave no parts', async () => {
      const prefix = newPrefix()
      const store = newStore({ prefix, partBytes })
      const putting = store.put('large', large).subscribe({ error: () => {} })
      await uploads(prefix, ({ length }) => length === 1)
      putting.unsubscribe()
      await uploads(prefix, ({ length }) => length === 0)
      expect(await rx.firstValueFrom(store.list(''))).toEqual([])
    })

    const uploads = async (prefix: string, until: (all: readonly unknown[]) => boolean): Promise<void> => {
      for (;;) {
        const { Uploads = [] } = await client.listMultipartUploads({ Bucket: bucket, Prefix: prefix })
        if (until(Uploads)) return
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    }
  })

  describe('before which requests fail', () => {
    let proxy: FaultyProxy
    beforeEach(async () => {
      proxy = await proxyBefore(endpoint)
    })
    afterEach(() => proxy.close())
    const through = (options: Parameters<typeof clientOf>[1] = {}) => clientOf(proxy.endpoint, options)

    test.each(['put', 'append'] as const)(
      '%s whose answer is lost, and which the client repeats, succeeds',
      async kind => {
        const prefix = newPrefix()
        let lost = 0
        proxy.decide = (method, path) =>
          method === 'PUT' && !isTrial(path) && ++lost === 1 ? 'loses its answer' : 'passes'
        const store = newStore({ client: through(), prefix })
        const act = (of: Store, size: number) =>
          rx.lastValueFrom(kind === 'put' ? of.put('a', bytes(size)) : of.append(1, bytes(size)))
        await act(store, 3)
        expect(lost).toBe(2)
        const code = kind === 'put' ? 'OBJECT_EXISTS' : 'FENCED'
        // The very same bytes, by another writer, are another's.
        await expect(act(newStore({ prefix }), 3)).rejects.toMatchObject({ code })
        await expect(act(store, 3)).rejects.toMatchObject({ code })
      },
    )

    test('a write that meets another under way is tried again', async () => {
      let conflicts = 0
      proxy.decide = (method, path) =>
        method === 'PUT' && !isTrial(path) && ++conflicts < 3
          ? { status: 409, code: 'ConditionalRequestConflict' }
          : 'passes'
      const store = newStore({ client: through({ maxAttempts: 1 }) })
      await rx.lastValueFrom(store.append(1, bytes(1)))
      expect([conflicts, await rx.firstValueFrom(store.entries())]).toEqual([3, [1]])
    })

    test.each([
      ['throttled', '/objects/', { status: 503, code: 'SlowDown' }, 'asks for fewer requests'],
      ['answered by an error', '/objects/', { status: 500, code: 'InternalError' }, 'goes on with its next checkpoint'],
      ['not answered in time', '/objects/', 'hangs', 'No answer came'],
      ['cut off', '/objects/', 'loses its answer', 'No answer came'],
      ['throttled', '/log/', { status: 503, code: 'SlowDown' }, 'asks for fewer requests'],
      ['not answered in time', '/log/', 'hangs', 'No answer came'],
      ['cut off', '/log/', 'loses its answer', 'No answer came'],
    ] as const)(
      'a checkpoint whose requests are %s, of %s, fails, the job goes on, and the next one succeeds',
      async (_, place, fate, remedy) => {
        const hanging = { client: clientWithoutTimeouts(proxy.endpoint), requestTimeoutMs: 2_000 }
        const store = newStore(fate === 'hangs' ? hanging : { client: through({ maxAttempts: 1 }) })
        const sink = collect<number>()
        const job = run(stream(paced(fromIterable(endless), { records: 100, pauseMs: 5 })).pipe(into(sink)), {
          store,
          checkpoints: { inlineBytesMax: 0 },
        })
        await rx.firstValueFrom(job.status$.pipe(rx.filter(({ kind }) => kind === 'running')))
        proxy.decide = (_, path) => (path.includes(place) ? fate : 'passes')
        const failed = await job.triggerCheckpoint()
        proxy.decide = () => 'passes'
        expect(failed.outcome).toBe('failed')
        expect(failed.reason).toContain(remedy)
        const next = await job.triggerCheckpoint()
        expect([next.outcome, next.reason]).toEqual(['completed', undefined])
        while (sink.records.length === 0) await job.triggerCheckpoint()
        await job.cancel()
        await job.done.catch(() => {})
        expect(sink.records.findIndex((n, i) => n !== i)).toBe(-1)
      },
    )
  })

  test.each([
    ['a bucket that is not there', { bucket: 'not-there-at-all' }, 'Create the bucket'],
    ['a wrong secret', { client: 'a stranger' }, 'valid credentials'],
  ])('%s is told as it is', async (_, options, remedy) => {
    const stranger = clientOf(endpoint ?? '')
    stranger.config.credentials = async () => ({ accessKeyId: 'spillway', secretAccessKey: 'wrong' })
    const of = {
      client: 'client' in options ? stranger : client,
      bucket,
      prefix: newPrefix(),
      ...('bucket' in options ? options : {}),
    }
    const failure = await rx.lastValueFrom(s3Store(of as never).entries()).catch(error => error)
    expect(failure).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining(remedy) })
  })

  test('a job that is killed again and again goes on from the bucket, and its results are exact', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'spillway-s3-job-'))
    const prefix = newPrefix()
    const total = 6_000
    try {
      let kills = 0
      for (let end: string | undefined; end !== 'done'; kills++) {
        const isLast = kills === 2
        end = await runOnce(
          [endpoint, bucket, prefix, directory, `${total}`, isLast ? '0' : '60'],
          isLast ? undefined : 2,
        )
        if (isLast) expect(end).toBe('done')
      }
      const read = readdirSync(directory)
        .filter(name => /^part-.*\.ndjson$/.test(name))
        .flatMap(name => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1))
      const found = read.map(line => JSON.parse(line)).sort((a, b) => a.n - b.n)
      // Two splits: the order of a key's records is the schedule's, what they add up to is not.
      expect(found.map(({ n }) => n)).toEqual(Array.from({ length: total }, (_, n) => n))
      const counts = Array.from({ length: 10 }, (_, key) =>
        found.filter(({ n }) => n % 10 === key).map(({ count }) => count),
      )
      for (const of of counts)
        expect(of.sort((a, b) => a - b)).toEqual(Array.from({ length: total / 10 }, (_, i) => i + 1))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

/** Killed after so many completed checkpoints. Gives its last line, or the signal. */
const runOnce = (args: readonly string[], checkpoints: number | undefined): Promise<string> => {
  const job = join(import.meta.dirname, 'killed.job.ts')
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--import', 'tsx', '--conditions=@spillway/source', job, ...args],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let output = ''
  child.stdout.on('data', data => {
    output += String(data)
    if ((output.match(/^completed/gm) ?? []).length >= (checkpoints ?? Number.POSITIVE_INFINITY)) child.kill('SIGKILL')
  })
  return new Promise(resolve => {
    child.on('close', (_, signal) => resolve(signal ?? (output.trimEnd().split('\n').at(-1) as string)))
  })
}

function* endless(): Generator<number> {
  for (let n = 0; ; n++) yield n
}

const bytes = (size: number): Uint8Array => {
  const all = new Uint8Array(size)
  for (let i = 0; i < size; i++) all[i] = (i * 31 + size) % 251
  return all
}

/** The store tries there whether the server keeps conditions. */
const isTrial = (path: string): boolean => path.split('?')[0]?.endsWith('/conditional') === true
