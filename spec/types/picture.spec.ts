import type { Stream } from 'spillway'
import { buffer, watermark } from 'spillway'
import { align } from 'spillway/operators'
import { gate, type LaneName, type Lanes, marbles, picture, type TaskLane } from 'spillway/testing'
import { expectTypeOf, test } from 'vitest'

type Text = `
  A         a-w1|
  &         b
  Late      --c
  task      --+++
  out       --abc
  &         ----w
  captured  1: A(a)
  effects   2: begin 1
  &         3: aligned 1
  w         watermark 10
`

test("the names of a picture's input lanes are read from its text", () => {
  expectTypeOf<LaneName<Text>>().toEqualTypeOf<'A' | 'Late' | 'task'>()
  expectTypeOf<Lanes<LaneName<Text>>>().toEqualTypeOf<{
    readonly A: Stream<string>
    readonly Late: Stream<string>
    readonly task: TaskLane
  }>()
})

test('a text that is no literal may have any lanes', () => {
  expectTypeOf<LaneName<string>>().toEqualTypeOf<string>()
})

test('a misspelt lane is a type error', () => {
  const wrong = () =>
    picture(
      `
      A     a1|
      task  +++
      out   a1|
      `,
      // @ts-expect-error Property 'B' does not exist
      ({ A, B, task }) => gate({ A, B }, task).pipe(align()),
    )
  void wrong
})

test('a gate takes from a task, not from a lane', () => {
  const wrong = () =>
    picture(
      `
      A     a1|
      B     +++
      out   a1|
      `,
      // @ts-expect-error Stream<string> is no TaskLane
      ({ A, B }) => gate({ A }, B).pipe(align()),
    )
  void wrong
})

test('the records of a lane are those of its legend, or else letters', () => {
  const typed = () =>
    marbles(({ lane }) => {
      expectTypeOf(lane('a-b|')).toEqualTypeOf<Stream<string>>()
      expectTypeOf(lane('a-w|', { w: watermark(10) })).toEqualTypeOf<Stream<string>>()
      expectTypeOf(lane('a-w|', { a: buffer([1, 2]), w: watermark(10) })).toEqualTypeOf<Stream<number>>()
      expectTypeOf(lane('ab|', { a: { key: 'x' }, b: { key: 'y' } })).toExtend<Stream<{ readonly key: string }>>()
    })
  void typed
})
