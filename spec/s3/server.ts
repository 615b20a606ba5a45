import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { S3 } from '@aws-sdk/client-s3'

/** A real server, and a bucket in it that is the specs' own. */
export interface Server {
  readonly endpoint: string
  readonly bucket: string
  stop(): void
}

const { SPILLWAY_S3_ACCESS_KEY = 'spillway', SPILLWAY_S3_SECRET_KEY = 'spillway-secret' } = process.env
export const credentials = { accessKeyId: SPILLWAY_S3_ACCESS_KEY, secretAccessKey: SPILLWAY_S3_SECRET_KEY }

export const clientOf = (endpoint: string, options: { maxAttempts?: number; requestTimeout?: number } = {}): S3 => {
  const { maxAttempts = 3, requestTimeout = 20_000 } = options
  return new S3({
    ...at(endpoint),
    maxAttempts,
    requestHandler: { requestTimeout, throwOnRequestTimeout: true },
  })
}

/** As the SDK is without settings. */
export const clientWithoutTimeouts = (endpoint: string): S3 => new S3(at(endpoint))

const at = (endpoint: string) => ({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })

const bucket = 'spillway-specs'

/**
 * The one that `SPILLWAY_S3_ENDPOINT` names, or one that is started here: versitygw or SeaweedFS's weed, found in the PATH or where
 * `npm run s3-server` has put it. Undefined: there is none; an error where `SPILLWAY_S3=required`.
 */
export const startServer = async (): Promise<Server | undefined> => {
  const { SPILLWAY_S3_ENDPOINT: given, SPILLWAY_S3: wanted } = process.env
  if (given !== undefined) return await ready({ endpoint: given, bucket, stop: () => {} })
  const program = found('versitygw') ?? found('weed')
  if (program === undefined) {
    if (wanted === 'required') throw new Error(`no S3 server can be had: ${howToGetOne}`)
    return undefined
  }
  return await (program.endsWith('weed') ? weed(program) : versitygw(program))
}

export const howToGetOne =
  'run `npm run s3-server`, or put versitygw or weed (SeaweedFS) into the PATH, or name a server by SPILLWAY_S3_ENDPOINT.'

const found = (name: string): string | undefined => {
  const { PATH = '' } = process.env
  const own = join(import.meta.dirname, '../../node_modules/.cache/s3-server/bin')
  const folders = [own, ...PATH.split(delimiter), join(homedir(), 'go/bin')]
  return folders.map(folder => join(folder, name)).find(isProgram)
}

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const versitygw = async (program: string): Promise<Server> => {
  const [port] = await freePorts(1)
  const folder = mkdtempSync(join(tmpdir(), 'spillway-s3-'))
  const keys = { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey }
  return await started(program, ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', folder], {
    folder,
    port,
    env: keys,
  })
}

const weed = async (program: string): Promise<Server> => {
  const ports = await freePorts(8)
  const [port] = ports
  const folder = mkdtempSync(join(tmpdir(), 'spillway-s3-'))
  const config = join(folder, 's3.json')
  const { accessKeyId: accessKey, secretAccessKey: secretKey } = credentials
  const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging']
  writeFileSync(
    config,
    JSON.stringify({ identities: [{ name: 'specs', credentials: [{ accessKey, secretKey }], actions }] }),
  )
  const parts = [
    's3',
    's3.port.grpc',
    'master',
    'master.port.grpc',
    'volume',
    'volume.port.grpc',
    'filer',
    'filer.port.grpc',
  ]
  const named = parts.map((part, i) => `-${part.includes('.port') ? part : `${part}.port`}=${ports[i]}`)
  const sizes = [
    '-volume.max=10',
    '-master.volumeSizeLimitMB=64',
    '-master.telemetry=false',
    '-s3.port.iceberg=0',
    '-s3.port.lance=0',
  ]
  const where = ['-ip=127.0.0.1', `-dir=${folder}`, '-s3', `-s3.config=${config}`]
  return await started(program, ['server', ...where, ...named, ...sizes], { folder, port, env: {} })
}

interface Starting {
  readonly folder: string
  readonly port: number | undefined
  readonly env: Readonly<Record<string, string>>
}

const started = async (program: string, args: readonly string[], { folder, port, env }: Starting): Promise<Server> => {
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', data => {
    said = `${said}${data}`.slice(-2_000)
  })
  const stop = () => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  try {
    return await ready({ endpoint: `http://127.0.0.1:${port}`, bucket, stop }, child)
  } catch (cause) {
    stop()
    throw new Error(`${program} does not start; it said:\n${said}`, { cause })
  }
}

/** With the bucket made. */
const ready = async (server: Server, child?: ChildProcess): Promise<Server> => {
  const client = clientOf(server.endpoint, { maxAttempts: 1, requestTimeout: 2_000 })
  for (let tries = 0; ; tries++) {
    try {
      await client.createBucket({ Bucket: bucket })
      return server
    } catch (error) {
      if (/^BucketAlready/.test((error as Error).name)) return server
      if (tries === 150 || typeof child?.exitCode === 'number') throw error
      await pause(200)
    }
  }
}

const freePorts = async (count: number): Promise<readonly number[]> => {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer().once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map(server => (server.address() as { port: number }).port)
  await Promise.all(servers.map(server => new Promise(closed => server.close(closed))))
  return ports
}
