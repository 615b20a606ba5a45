/**
 * The input: 3,000,000 real flights in the order in which their reports arrive, dealt into four files.
 *
 * The flights and their delays are real (US Bureau of Transportation Statistics, by way of the npm package
 * vega-datasets). Their order is derived: a flight is reported when it has landed, late or early as it was, so that
 * departures, which are the event time, are out of order by as much as flights are late.
 */
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const inRepository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const parquet = inRepository('node_modules/vega-datasets/data/flights-3m.parquet')
const folder = inRepository('.cache/flights/')
const stamp = `${folder}prepared`

export const flightFiles: readonly string[] = [0, 1, 2, 3].map(n => `${folder}flights-${n}.ndjson`)

/** Makes the files unless they are there, whole: the stamp is written last and holds their sizes. */
export const prepareFlights = async (onProgress: (fraction: number) => void): Promise<'made' | 'found'> => {
  if (await arePrepared()) return 'found'
  await mkdir(folder, { recursive: true })
  await rm(stamp, { force: true })
  const flights = await readFlights(fraction => onProgress(fraction / 2))
  await deal(flights, byReport(flights), fraction => onProgress((1 + fraction) / 2))
  await writeFile(temporary(stamp), await sizes())
  await rename(temporary(stamp), stamp)
  return 'made'
}

const temporary = (path: string) => `${path}.tmp`

const arePrepared = async () => {
  try {
    return (await readFile(stamp, 'utf8')) === (await sizes())
  } catch {
    return false
  }
}

const sizes = async () => (await Promise.all(flightFiles.map(async path => (await stat(path)).size))).join(' ')

/** One entry a flight in each column: 3,000,000 objects would take ten times the memory. */
interface Flights {
  readonly origin: readonly string[]
  readonly departureMs: Float64Array
  readonly delayMin: Int16Array
}

const readFlights = async (onProgress: (fraction: number) => void): Promise<Flights> => {
  const file = await asyncBufferFromFile(parquet)
  const metadata = await parquetMetadataAsync(file)
  const rows = Number(metadata.num_rows)
  const origin = new Array<string>(rows)
  const departureMs = new Float64Array(rows)
  const delayMin = new Int16Array(rows)
  const fill: Record<string, (row: number, value: any) => void> = {
    origin: (row, airport: string) => {
      origin[row] = airport
    },
    date: (row, ms: number) => {
      departureMs[row] = ms
    },
    delay: (row, minutes: bigint) => {
      delayMin[row] = Number(minutes)
    },
  }
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows)
    await parquetRead({
      ...{ file, metadata, compressors, rowStart, rowEnd },
      columns: Object.keys(fill),
      parsers: { timestampFromMicroseconds: micros => Number(micros / 1000n) },
      onChunk: chunk => {
        for (let i = 0; i < chunk.columnData.length; i++)
          fill[chunk.columnName]!(chunk.rowStart + i, chunk.columnData[i])
      },
    })
    rowStart = rowEnd
    onProgress(rowStart / rows)
  }
  return { origin, departureMs, delayMin }
}

/** The rows by the minute of their arrival, equal ones in their order. */
const byReport = ({ departureMs, delayMin }: Flights): Float64Array => {
  const rows = departureMs.length
  const minuteThenRow = departureMs.map((ms, row) => (ms / 60_000 + delayMin[row]!) * rows + row).sort()
  return minuteThenRow.map(at => at % rows)
}

const deal = async (flights: Flights, order: Float64Array, onProgress: (fraction: number) => void) => {
  const files = await Promise.all(flightFiles.map(path => open(temporary(path), 'w')))
  for (let start = 0; start < order.length; start += rowsAtOnce) {
    const texts = files.map(() => '')
    for (let i = start; i < Math.min(start + rowsAtOnce, order.length); i++) {
      texts[i % files.length] += lineOf(flights, order[i]!)
    }
    await Promise.all(files.map((file, n) => file.write(texts[n]!)))
    onProgress(start / order.length)
  }
  for (const [n, file] of files.entries()) {
    await file.sync()
    await file.close()
    await rename(temporary(flightFiles[n]!), flightFiles[n]!)
  }
}

const rowsAtOnce = 40_000

const lineOf = ({ origin, departureMs, delayMin }: Flights, row: number) =>
  `${JSON.stringify({ origin: origin[row], departureMs: departureMs[row], delayMin: delayMin[row] })}\n`
