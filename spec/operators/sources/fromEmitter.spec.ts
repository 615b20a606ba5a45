import { EventEmitter } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { stream } from 'spillway'
import { collect, fromEmitter, into } from 'spillway/operators'
import { expect, test } from 'vitest'
import { run } from '../../run.ts'

const overflow = expect.objectContaining({ code: 'INPUT_OVERFLOW' })

class Pausing extends EventEmitter {
  readonly calls: string[] = []
  pause = () => this.calls.push('pause')
  resume = () => this.calls.push('resume')
}

const paused = () => {
  const emitter = new Pausing()
  const source = fromEmitter<number>(emitter, { event: 'data', onFull: 'pause', bufferRecordsMax: 4 })
  const reader = source.open('0/1', undefined)
  reader.next(1)
  const emit = (...records: number[]) => {
    for (const record of records) emitter.emit('data', record)
  }
  return { emitter, reader, emit }
}

test('an emitter is paused with the record that fills the room, and resumed once half of it is free', () => {
  const { emitter, reader, emit } = paused()
  emit(1, 2, 3)
  expect(emitter.calls).toEqual(['resume'])
  emit(4)
  expect(emitter.calls).toEqual(['resume', 'pause'])
  expect(reader.next(1)).toEqual([1])
  expect(emitter.calls).toEqual(['resume', 'pause'])
  expect(reader.next(1)).toEqual([2])
  expect(emitter.calls).toEqual(['resume', 'pause', 'resume'])
})

test('a record that comes although there is no room and the emitter is paused fails the task', () => {
  const { reader, emit } = paused()
  emit(1, 2, 3, 4, 5)
  expect(() => reader.next(1)).toThrow(overflow)
})

test('closing pauses the emitter, and leaves no listener', () => {
  const { emitter, reader } = paused()
  reader.close()
  expect(emitter.calls).toEqual(['resume', 'pause'])
  expect(emitter.eventNames()).toEqual([])
})

test.each([
  { onFull: 'dropOldest', left: [3, 4, 5] },
  { onFull: 'dropNewest', left: [1, 2, 3] },
] as const)('without pause() a burst of five by $onFull leaves $left', ({ onFull, left }) => {
  const emitter = new EventEmitter()
  const source = fromEmitter<number>(emitter, { event: 'tick', onFull, bufferRecordsMax: 3 })
  const reader = source.open('0/1', undefined)
  reader.next(1)
  for (const n of [1, 2, 3, 4, 5]) emitter.emit('tick', n)
  expect(reader.next(10)).toEqual(left)
  expect(source.dropped()).toBe(2)
})

test('of an EventTarget the records are its events', () => {
  const target = new EventTarget()
  const options = { event: 'tick', endEvent: 'close', onFull: 'error', bufferRecordsMax: 3 } as const
  const reader = fromEmitter<Event>(target, options).open('0/1', undefined)
  reader.next(1)
  const tick = new Event('tick')
  target.dispatchEvent(tick)
  target.dispatchEvent(new Event('close'))
  expect([reader.next(10), reader.next(10)]).toEqual([[tick], 'end'])
})

test('an emitter that has ended or failed is so at the next start, to which it would not tell it again', () => {
  for (const event of ['end', 'error']) {
    const emitter = new EventEmitter()
    const source = fromEmitter<number>(emitter, {
      event: 'data',
      endEvent: 'end',
      errorEvent: 'error',
      onFull: 'error',
      bufferRecordsMax: 3,
    })
    const first = source.open('0/1', undefined)
    expect(first.next(1)).toBe('wait')
    emitter.emit(event, new Error('boom'))
    for (const reader of [first, source.open('0/1', 0)]) {
      if (event === 'end') expect(reader.next(1)).toBe('end')
      else expect(() => reader.next(1)).toThrow('boom')
    }
  }
})

test('a Node stream that is paused loses nothing, and its bytes wait in the stream', async () => {
  const records = Array.from({ length: 1000 }, (_, n) => n)
  const sink = collect<number>()
  const source = fromEmitter<number>(Readable.from(records), {
    event: 'data',
    endEvent: 'end',
    errorEvent: 'error',
    onFull: 'pause',
    bufferRecordsMax: 3,
  })
  await run(stream(source).pipe(into(sink)), { acceptLoss: ['fromEmitter'] }).done
  expect(sink.records).toEqual(records)
  expect(source.dropped()).toBe(0)
})

test('a Node stream that nobody takes from is read no further than there is room', async () => {
  const through = new PassThrough({ objectMode: true, highWaterMark: 2 })
  const options = { event: 'data', onFull: 'pause', bufferRecordsMax: 3 } as const
  const reader = fromEmitter<number>(through, options).open('0/1', undefined)
  reader.next(1)
  for (let n = 0; n < 10; n++) through.write(n)
  await new Promise(setImmediate)
  expect(through.isPaused()).toBe(true)
  expect(reader.next(10)).toEqual([0, 1, 2])
  reader.close()
})

test('what cannot be paused is refused with onFull pause, by the compiler and when the source is made', () => {
  const make = () =>
    // @ts-expect-error an EventEmitter has no pause() and resume()
    fromEmitter(new EventEmitter(), { event: 'data', onFull: 'pause', bufferRecordsMax: 3 })
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
})

test.each([0, 1.5])('bufferRecordsMax %d is refused', bufferRecordsMax => {
  const make = () => fromEmitter(new EventEmitter(), { event: 'data', onFull: 'error', bufferRecordsMax })
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
})
