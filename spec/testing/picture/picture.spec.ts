import * as rx from 'rxjs'
import { active, barrier, buffer, cancel, idle, type Stream, type StreamElement, watermark } from 'spillway'
import { align, map } from 'spillway/operators'
import { gate, type Lanes, picture } from 'spillway/testing'
import { expect, test } from 'vitest'

type Two = Lanes<'A' | 'B' | 'task'>
const aligned = ({ A, B, task }: Two) => gate({ A, B }, task).pipe(align())
const unaligned = ({ A, B, task }: Two) => gate({ A, B }, task).pipe(align({ alignment: 'unaligned' }))

test('an unaligned barrier passes what waits, and what it passes is captured', () =>
  picture(
    `
    A         abc1d|
    B         x----1yz|
    task      ------+++++++++++
    out       ------1-axbyczd-|
    captured  1: A(abc) B(x)
    `,
    unaligned,
  ))

test('an aligned barrier waits for what waits before it', () =>
  picture(
    `
    A         abc1d|
    B         x----1yz|
    task      ------+++++++++++
    out       ------axb-c1dy-z|
    `,
    aligned,
  ))

test('what arrives in a column can be taken in it', () =>
  picture(
    `
    A     a-b
    task  +-+
    out   a-b
    `,
    ({ A, task }) => gate({ A }, task).pipe(align()),
  ))

test('what comes at the same time stands in rows below, the upper first', () =>
  picture(
    `
    A     a--d
    &     1
    &     b
    task  ++++
    out   a1bd
    `,
    ({ A, task }) => gate({ A }, task).pipe(align()),
  ))

test('while its output is full the task takes no data', () =>
  picture(
    `
    A         a-b--1|
    B         --1
    task      ~~~~+~+~
    out       ----a-b1
    effects   2: block B
    &         7: begin 1, aligned 1 in 5, unblock B
    `,
    aligned,
  ))

test('in-flight data of several checkpoints stands in rows, in any order', () =>
  picture(
    `
    A         a1--b-2
    B         c-1----d-2
    task      -+++++++++
    out       -1-acb2d--
    captured  2: B(d)
    &         1: B(c)
    &         1: A(a)
    `,
    unaligned,
  ))

test('in-flight data of a checkpoint that is given up does not count', () =>
  picture(
    `
    A         a1--
    B         -b-x
    task      -++++
    out       -1aby
    x         cancel 1
    y         aborted 1 cancelled
    `,
    unaligned,
  ))

test('in-flight data that comes when the checkpoint is whole is told', () => {
  const late = { kind: 'captured', checkpoint: 1, channel: 0, elements: [buffer(['k'])] } as const
  const wrong = () =>
    picture('A     1\ntask  +\nout   1', ({ A, task }) =>
      gate({ A }, task).pipe(
        align(),
        rx.mergeMap(element => (element.kind === 'aligned' ? [element, late] : [element])),
      ),
    )
  expect(wrong).toThrow('expected nothing, received 1, after it was whole: A(k)')
})

const brought: readonly (readonly [words: string, element: StreamElement<string>])[] = [
  ['watermark 10', watermark(10)],
  ['watermark -Infinity', watermark(Number.NEGATIVE_INFINITY)],
  ['idle', idle],
  ['active', active],
  ['cancel 12', cancel(12)],
  ['records abc', buffer(['a', 'b', 'c'])],
  ['barrier 12', barrier(12, { timestampMs: 1 })],
  ['barrier 1 unaligned', barrier(1, { timestampMs: 1, alignment: 'unaligned' })],
  ['barrier 1 timeout 5', barrier(1, { timestampMs: 1, alignment: { alignedTimeoutMs: 5 } })],
  ['barrier 1 savepoint', barrier(1, { timestampMs: 1, savepoint: true })],
  ['barrier 1 unaligned savepoint at -3', barrier(1, { timestampMs: -3, alignment: 'unaligned', savepoint: true })],
]

test.each(brought)('in a legend, %s is an element', (words, element) => {
  const elements: unknown[] = []
  picture(`A    --x\nB    -x\nout  -\nx    ${words}`, lanes => {
    lanes.A?.subscribe(each => elements.push(each))
    lanes.B?.subscribe()
    return rx.NEVER
  })
  // A checkpoint is triggered with its first barrier, which is that of B.
  expect(elements).toEqual([element])
})

test('barriers that name no alignment have that of align', () => {
  const alignments: unknown[] = []
  picture(
    `
    A     1-u
    task  +++
    out   1-2
    u     barrier 2 aligned
    `,
    ({ A, task }) =>
      gate({ A }, task)
        .pipe(align({ alignment: { alignedTimeoutMs: 5 } }))
        .pipe(rx.tap(each => each.kind === 'begin' && alignments.push(each.barrier.alignment))),
  )
  expect(alignments).toEqual([{ alignedTimeoutMs: 5 }, 'aligned'])
})

test('a lane is a stream, and operators run in virtual time', () =>
  picture(
    `
    A     a-b|
    out   ---A-B|
    `,
    ({ A }) => later(A.pipe(map(letter => letter.toUpperCase())), 3),
  ))

test('what comes after the last column counts', () => {
  const late = () => picture('A    a\nout  -', ({ A }) => later(A, 50))
  expect(late).toThrow('at frame 50: expected nothing, received "a"')
})

test('a stream that goes on for ever is left', () =>
  picture('A    a\nout  a', ({ A }) => rx.merge(A, rx.interval(10).pipe(rx.ignoreElements()))))

test('an end without a completion, and a completion without an end, are told apart from |', () => {
  picture('A    a-|\nout  a-e\ne    end', ({ A }) => rx.concat(A, rx.NEVER))
  picture('A    a-|\nout  a-c\nc    complete', ({ A }) => elementsOf(A).pipe(rx.filter(({ kind }) => kind !== 'end')))
})

/** The stream's elements for RxJS's operators, which do not stand in a stream's pipe. */
const elementsOf = <T>(stream: Stream<T>): rx.Observable<StreamElement<T>> => rx.from(stream)

const later = <T>(stream: Stream<T>, delayMs: number) => elementsOf(stream).pipe(rx.delay(delayMs))
