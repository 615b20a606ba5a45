import { queueScheduler } from 'rxjs'
import { expect, test } from 'vitest'
import { buffer, recovered, type StreamElement, watermark } from '../../lib/element.ts'
import { writeContainer } from '../../lib/snapshot/container.ts'
import { msgpackEncoding } from '../../lib/snapshot/encoding.ts'
import { readPiece, readSections } from '../../lib/snapshot/format.ts'
import type { TaskSnapshot } from '../../lib/snapshot/snapshot.ts'
import { type Encoded, SnapshotEncoder } from '../../lib/snapshot/snapshotEncoder.ts'

const encoding = msgpackEncoding()
const encoded = (snapshot: TaskSnapshot) =>
  new Promise<Encoded>((resolve, reject) => {
    new SnapshotEncoder(encoding, queueScheduler).encode({ snapshot, stopped: false, encoded: resolve, failed: reject })
  })

const snapshot = (elements: readonly StreamElement<unknown>[]): TaskSnapshot => ({
  kind: 'snapshot',
  task: '1:map/0',
  epoch: 1,
  ended: false,
  checkpoint: 1,
  operators: [],
  inFlight: [{ input: 0, from: 2, elements }],
  outputs: [],
  durable: [],
  times: { startDelayMs: 0, alignmentMs: 0, processedDuringAlignment: 0, syncMs: 0, begunAtMs: 0, wholeAtMs: 0 },
})

const records = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i)

const small = Array.from({ length: 250 }, (_, i) => buffer(records(10, 10 * i)))

test.each<[string, { elements: readonly StreamElement<unknown>[]; chunks: number; inFlight: number }]>([
  ['many small buffers share chunks of 1,000 records', { elements: small, chunks: 3, inFlight: 2_500 }],
  ['a buffer is never cut', { elements: [buffer(records(2_500)), buffer(records(1))], chunks: 2, inFlight: 2_501 }],
  [
    'what has no records counts as one',
    { elements: Array.from({ length: 1_001 }, (_, i) => watermark(i)), chunks: 2, inFlight: 0 },
  ],
])('%s, and all comes back in order', async (_, { elements, chunks, inFlight }) => {
  const { inFlight: written, sizes } = await encoded(snapshot(elements))
  const sections = readPiece(writeContainer(written.sections, { encoding: encoding.name }), { place: 'a', encoding })
  expect(sections.map(({ name, chunks }) => [name, chunks.length])).toEqual([['["channel",0,2]', chunks]])
  expect(sizes.inFlightRecords).toBe(inFlight)
  const [channel] = readSections({ ended: false, sections }, { place: 'a', encoding }).inFlight
  expect(channel?.elements.flatMap(asRecords)).toEqual(elements.flatMap(asRecords))
})

test('what waits in sending halves comes back by consumer, input, producer and generation, and counts as in flight', async () => {
  const outputs = [
    { to: '2:scan/0', input: 0, from: 0, elements: small },
    { to: '2:scan/1', input: 1, from: 0, elements: [watermark(1), buffer(['a'])] },
    { to: '2:scan/1', input: 0, from: 1, generation: 0, elements: [recovered(0), buffer(['b'])] },
  ]
  const own = [buffer(records(5))]
  const { inFlight, sizes } = await encoded({ ...snapshot(own), outputs })
  expect(sizes.inFlightRecords).toBe(2_507)
  const read = readSections({ ended: false, sections: inFlight.sections }, { place: 'a', encoding })
  const flat = read.outputs.map(({ elements, ...of }) => ({ ...of, elements: elements.flatMap(asRecords) }))
  expect(flat).toEqual(outputs.map(({ elements, ...of }) => ({ ...of, elements: elements.flatMap(asRecords) })))
  expect(read.inFlight.map(({ elements }) => elements.flatMap(asRecords))).toEqual([records(5)])
})

const asRecords = (element: StreamElement<unknown>): readonly unknown[] =>
  element.kind === 'buffer' ? element.records : [element]
