import { firstValueFrom } from 'rxjs'
import type { Store } from 'spillway'
import { buffer } from '../lib/element.ts'
import { msgpackEncoding } from '../lib/snapshot/encoding.ts'
import { bufferRecordsMax, numberedText } from './slowJob.ts'

/** How many ms it takes to encode so many records in buffers, and to put them into the store as one object. */
export const encodeAndPut = async (store: Store, { name, records }: { name: string; records: number }) => {
  const buffers = Array.from({ length: Math.ceil(records / bufferRecordsMax) }, (_, i) =>
    buffer(
      Array.from({ length: Math.min(bufferRecordsMax, records - i * bufferRecordsMax) }, (_, j) => numberedText(i + j)),
    ),
  )
  const begunMs = performance.now()
  await firstValueFrom(store.put(name, encoding.encode(buffers)))
  return performance.now() - begunMs
}

const encoding = msgpackEncoding()
