import { firstValueFrom } from 'rxjs'
import type { Store } from 'spillway'
import { buffer } from '../lib/element.ts'
import { msgpackEncoding } from '../lib/snapshot/encoding.ts'
import { numberedText } from './slowJob.ts'

/** How many ms it takes to encode so many records in buffers, and to put them into the store as one object. */
export const encodeAndPut = async (
  store: Store,
  { name, records, bufferRecords }: { name: string; records: number; bufferRecords: number },
) => {
  const buffers = Array.from({ length: Math.ceil(records / bufferRecords) }, (_, i) =>
    buffer(Array.from({ length: Math.min(bufferRecords, records - i * bufferRecords) }, (_, j) => numberedText(i + j))),
  )
  const begunMs = performance.now()
  await firstValueFrom(store.put(name, encoding.encode(buffers)))
  return performance.now() - begunMs
}

const encoding = msgpackEncoding()

/** Encoded in a buffer. */
export const bytesPerRecord = encoding.encode(buffer(Array.from({ length: 10 }, (_, i) => numberedText(i)))).length / 10
