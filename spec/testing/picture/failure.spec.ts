import type { Stream } from 'spillway'
import { align, flatMap, map } from 'spillway/operators'
import { gate, type Lanes, marbles, picture } from 'spillway/testing'
import { expect, test } from 'vitest'

const thrownBy = (check: () => void): Error => {
  try {
    check()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing has been thrown')
}

const said = (check: () => void): string => thrownBy(check).message

/** The text between two line breaks, less two blanks of indentation. */
const lines = (text: string): string => text.slice(1, text.lastIndexOf('\n')).replaceAll(/^ {4}/gm, '')

type Two = Lanes<'A' | 'B' | 'task'>
const aligned = ({ A, B, task }: Two) => gate({ A, B }, task).pipe(align())
const unaligned = ({ A, B, task }: Two) => gate({ A, B }, task).pipe(align({ alignment: 'unaligned' }))

test('a failure shows all lanes, expected and received, and the first difference', () => {
  const wrong = () =>
    picture(
      `
      A         abc1d|
      B         x----1yz|
      task      ------+++++++++++
      out       ------1axbyczd--|
      captured  1: A(abc) B(x)
      `,
      unaligned,
    )
  expect(said(wrong)).toBe(
    lines(`
    out differs from the picture at frame 7: expected "a", received nothing.

      A         abc1d|
      B         x----1yz|
      task      ------+++++++++++
      out       ------1axbyczd--|
      captured  1: A(abc) B(x)

      expected  ------1axbyczd--|
      received  ------1-axbyczd-|
                       ^ frame 7
    `),
  )
})

test('what is missing, and what comes at the same time', () => {
  const wrong = () =>
    picture(
      `
      A         a-1-b
      B         1
      task      +++++
      out       -a1-b
      &         --y--
      y         aborted 1
      `,
      aligned,
    )
  expect(said(wrong)).toBe(
    lines(`
    out differs from the picture at frame 0: expected nothing, received "a".

      A         a-1-b
      B         1
      task      +++++
      out       -a1-b
      &         --y--
      y         aborted 1

      expected  -a1-b
      &         --y--
      received  a-1-b
                ^ frame 0
    `),
  )
})

test('what the legend has no letter for is a question mark, and told below', () => {
  const wrong = () =>
    picture(
      `
      A         a-1|
      B         -x
      task      ++++
      out       a-1|
      x         cancel 1
      `,
      aligned,
    )
  expect(said(wrong)).toBe(
    lines(`
    out differs from the picture at frame 1: expected nothing, received aborted 1 cancelled.

      A         a-1|
      B         -x
      task      ++++
      out       a-1|
      x         cancel 1

      expected  a-1|
      received  a?--
                 ^ frame 1
      ? at frame 1 is aborted 1 cancelled
    `),
  )
})

test('what agrees is drawn as it was expected', () => {
  const wrong = () =>
    picture(
      `
      A         v-a
      out       w-b
      v         watermark 10
      w         watermark 10
      `,
      ({ A }) => A,
    )
  expect(said(wrong)).toContain('  expected  w-b\n  received  w-a\n')
})

test.each([
  [
    'another checkpoint',
    '1',
    '2',
    '',
    'expected barrier 2, or the beginning of its snapshot, received barrier 1 aligned',
  ],
  ['another element', 'w', 'v', 'w    watermark 1\nv    watermark 2', 'expected watermark 2, received watermark 1'],
  ['another record', 'a', 'p', 'p    records b', 'expected records b, received "a"'],
  ['a record where an element is expected', 'a', '1', '', 'expected barrier 1, or the beginning'],
  ['an element where a record is expected', '1', 'a', '', 'expected "a", received barrier 1'],
  ['an end where a failure is expected', '|', '#', '', 'expected error, received end'],
  ['nothing where something is expected', '-', 'a', '', 'expected "a", received nothing'],
])('%s', (_, brought, expected, legend, text) => {
  const wrong = () => picture(`A    ${brought}\nout  ${expected}\n${legend}`, lanes => lanes.A as Stream<string>)
  expect(said(wrong)).toContain(`out differs from the picture at frame 0: ${text}`)
})

test('in-flight data that differs', () => {
  const wrong = () =>
    picture(
      `
      A         ab1
      B         c--d1
      task      --+++++++
      out       --1a-cbd-
      captured  1: B(c) A(ab)
      `,
      unaligned,
    )
  expect(said(wrong)).toBe(
    lines(`
    captured differs from the picture at checkpoint 1: expected 1: A(ab) B(c), received 1: A(ab) B(cd).

      A         ab1
      B         c--d1
      task      --+++++++
      out       --1a-cbd-
      captured  1: B(c) A(ab)

      expected  1: A(ab) B(c)
      received  1: A(ab) B(cd)
                            ^ checkpoint 1
    `),
  )
})

test('in-flight data that the picture does not show', () => {
  const wrong = () =>
    picture(
      `
      A         a1
      B         --1
      task      -+++
      out       -1-a
      `,
      unaligned,
    )
  expect(said(wrong)).toBe(
    lines(`
    captured differs from the picture at checkpoint 1: expected nothing, received 1: A(a).

      A         a1
      B         --1
      task      -+++
      out       -1-a

      expected  nothing
      received  1: A(a)
                ^ checkpoint 1
    `),
  )
})

test('an effect that differs, under its row', () => {
  const wrong = () =>
    picture(
      `
      A         1
      B         -1
      task      ++
      out       -1
      effects   0: block B
      &         1: begin 1, aligned 1 in 2, unblock A
      `,
      aligned,
    )
  expect(said(wrong)).toBe(
    lines(`
    effects differs from the picture at frame 0: expected 0: block B, received 0: block A.

      A         1
      B         -1
      task      ++
      out       -1
      effects   0: block B
      &         1: begin 1, aligned 1 in 2, unblock A

      expected  0: block B
      &         1: begin 1, aligned 1 in 2, unblock A
      received  0: block A
                         ^ frame 0
      &         1: begin 1, aligned 1 in 1, unblock A
    `),
  )
})

test('an unexpected error is told, and is the cause', () => {
  const failing = map(() => {
    throw new Error('no')
  })
  const error = thrownBy(() =>
    picture(
      `
      A         -a|
      out       -a|
      `,
      ({ A }) => A.pipe(failing),
    ),
  )
  expect(error.message).toMatch(/^out differs from the picture at frame 1: expected "a", received the error: map: .*no/)
  expect(error.message).toContain('  received  -#-\n             ^ frame 1')
  expect(error.cause).toMatchObject({ code: 'USER_FUNCTION_FAILED' })
})

test('a lane by itself: all lanes made, records by their letters', () => {
  const wrong = () =>
    marbles(({ lane, full, expectLane }) => {
      const twice = lane('a-b|', { a: 1, b: 2 }).pipe(flatMap(n => [n, -n]))
      expectLane(twice, full('~')).toBe('ab-|', { a: 1, b: -1 })
    })
  expect(said(wrong)).toBe(
    lines(`
    The stream differs from the picture at frame 2: expected nothing, received 2.

      lane      a-b|
      full      ~

      expected  ab-|
      received  ab?|
      &         --?-
                  ^ frame 2
      ? at frame 2 is 2
      ? at frame 2 is -2
    `),
  )
})
