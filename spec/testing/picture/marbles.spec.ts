import * as rx from 'rxjs'
import { barrier, buffer, Stream, splits, watermark } from 'spillway'
import { filter, flatMap, map } from 'spillway/operators'
import { marbles } from 'spillway/testing'
import { expect, test } from 'vitest'
import type { Columns } from '../../../lib/element.ts'

test('an operator changes records and forwards the rest', () =>
  marbles(({ lane, expectLane }) => {
    const source = lane('a-b-w-1|', { w: watermark(10) })
    expectLane(source.pipe(map(letter => letter.toUpperCase()))).toBe('A-B-w-1|', { w: watermark(10) })
  }))

test('while the output is full results wait, and a barrier passes them', () =>
  marbles(({ lane, full, expectLane }) => {
    const source = lane('a--1--|', { a: 2 })
    expectLane(source.pipe(flatMap(n => [n, 10 * n, 100 * n])), full('~~~~---')).toBe(
      `
      a--1b-|
      ----c--
      `,
      { a: 2, b: 20, c: 200 },
    )
  }))

test('an output that is free is not full for what arrives in its column', () =>
  marbles(({ lane, full, expectLane }) => {
    const twice = lane('a-b-|').pipe(flatMap(letter => [letter, letter]))
    expectLane(twice, full('~-~-')).toBe('aabb|')
  }))

test('a lane is cold: each subscription sees it from its beginning', () =>
  marbles(({ lane, expectLane }) => {
    const source = lane('a-b|')
    expectLane(source).toBe('a-b|')
    expectLane(source.pipe(filter(letter => letter === 'b'))).toBe('--b|')
  }))

test('records are compared by content', () => {
  const check = (at: Date) =>
    marbles(({ lane, expectLane }) => {
      const source = lane('a|').pipe(map(() => ({ at: new Date(5), of: new Map([['k', [1, Number.NaN]]]) })))
      expectLane(source).toBe('r|', { r: { at, of: new Map([['k', [1, Number.NaN]]]) } })
    })
  check(new Date(5))
  expect(() => check(new Date(6))).toThrow('differs from the picture at frame 0')
})

test('a buffer in the legend has all columns of its record, a record by itself has any', () => {
  const check = (columns: Columns) =>
    marbles(({ lane, expectLane }) => {
      const source = lane('p|', { p: buffer(['a', 'b'], { times: Float64Array.of(1, 2), split: 's' }) })
      expectLane(source.pipe(map(letter => letter))).toBe(
        `
        a|
        r-
        `,
        { a: 'a', r: buffer(['b'], columns) },
      )
    })
  const times = Float64Array.of(2)
  check({ times, split: 's' })
  expect(() => check({ times: Float64Array.of(3), split: 's' })).toThrow('differs')
  expect(() => check({ times, split: 't' })).toThrow('differs')
  expect(() => check({ times })).toThrow('differs')
  expect(() => check({ times, split: 's', keys: [1] })).toThrow('differs')
})

test('elements of the legend are compared whole', () => {
  const check = (timestampMs: number) =>
    marbles(({ lane, expectLane }) => {
      const source = lane('s-u|', { s: splits(['x']), u: barrier(1, { alignment: 'unaligned', timestampMs: 3 }) })
      expectLane(source).toBe('s-u|', { s: splits(['x']), u: barrier(1, { alignment: 'unaligned', timestampMs }) })
    })
  check(3)
  expect(() => check(4)).toThrow('expected barrier 1 unaligned at 4, received barrier 1 unaligned at 3')
})

test('the clock of the task is virtual, and that of RxJS', () => {
  const times: unknown[] = []
  marbles(({ lane, expectLane }) => {
    const source = lane('--a-b|')
    const clock = new Stream<string>({ name: 'clock', inputs: [source] }, task =>
      source.in(task).pipe(rx.tap(() => times.push([task.scheduler.now(), rx.asyncScheduler.now()]))),
    )
    expectLane(clock).toBe('--a-b|')
  })
  expect(times).toEqual([
    [2, 2],
    [4, 4],
    [5, 5],
  ])
})
