import { align } from 'spillway/operators'
import { gate, marbles, picture } from 'spillway/testing'
import { describe, expect, test } from 'vitest'

const run = (text: string) =>
  picture(text, ({ A, B, task }) =>
    gate({ ...(A && { A }), ...(B && { B }) } as Record<string, never>, task as never).pipe(align()),
  )

const cases: readonly (readonly [claim: string, text: string, problem: string, shown: string])[] = [
  [
    'a row that begins in another column',
    `
    A     a-b
    B      a-b
    task  +++
    out   a-b
    `,
    'it does not begin in the column of the lanes above.',
    `
    B      a-b
           ^
    `,
  ],
  [
    'a mark that stands for nothing',
    `
    A     a(bc)
    task  +++
    out   a-b
    `,
    '`(` stands for nothing. What comes at the same time stands in a row `&` below.',
    `
    A     a(bc)
           ^
    `,
  ],
  [
    'a blank in a lane',
    `
    A     a b
    task  +++
    out   a-b
    `,
    'blanks stand only before a lane; `-` is a frame in which nothing comes.',
    `
    A     a b
           ^
    `,
  ],
  [
    'a row & under nothing',
    `
    &     a-b
    task  +++
    out   a-b
    `,
    '`&` stands under no lane.',
    `
    &     a-b
    ^
    `,
  ],
  [
    'a mark of a row & with nothing above it',
    `
    A     a-b
    &     -c
    task  +++
    out   a-b
    `,
    'nothing stands above it in this column.',
    `
    &     -c
           ^
    `,
  ],
  [
    'a mark of a row & with nothing directly above it',
    `
    A     ab
    &     c-
    &     -d
    task  +++
    out   abc
    `,
    'nothing stands above it in this column.',
    `
    &     -d
           ^
    `,
  ],
  [
    'a lane that stands twice',
    `
    A     a-b
    A     a-b
    task  +++
    out   a-b
    `,
    '`A` stands twice.',
    `
    A     a-b
    ^
    `,
  ],
  [
    'a name that is none',
    `
    A.b   a-b
    task  +++
    out   a-b
    `,
    '`A.b` is no name of a lane: a letter, then letters and digits.',
    `
    A.b   a-b
    ^
    `,
  ],
  [
    'a row with nothing in it',
    `
    A     a-b
    task
    out   a-b
    `,
    'nothing stands behind `task`.',
    `
    task
    ^
    `,
  ],
  [
    'a lane that goes on after its end',
    `
    A     a|b
    task  +++
    out   a-b
    `,
    'the lane has ended.',
    `
    A     a|b
            ^
    `,
  ],
  [
    'a task that does something else than take',
    `
    A     a-b
    task  +x+
    out   a-b
    `,
    'a task takes by `+`, or by `~` while its output is full.',
    `
    task  +x+
           ^
    `,
  ],
  [
    'an entry of the legend that stands in no lane',
    `
    A     a-b
    task  +++
    out   a-b
    w     watermark 1
    `,
    '`w` stands in no lane.',
    `
    w     watermark 1
    ^
    `,
  ],
  [
    'what comes out of a task in a lane that goes in',
    `
    A     a-s
    task  +++
    out   a-s
    s     begin 1
    `,
    '`begin 1` is what comes out of a task; a lane does not bring it.',
    `
    A     a-s
            ^
    `,
  ],
  [
    'several records for one mark of an expectation',
    `
    A     p
    task  +++
    out   p
    p     records ab
    `,
    'in an expectation a mark stands for one record; others stand in rows `&` below.',
    `
    out   p
          ^
    `,
  ],
  [
    'in-flight data of an unknown lane',
    `
    A         a-1
    task      +++
    out       a-1
    captured  1: A(a) C(b)
    `,
    '`C` is no lane of the gate.',
    `
    captured  1: A(a) C(b)
                      ^
    `,
  ],
  [
    'in-flight data that is written otherwise',
    `
    A         a-1
    task      +++
    out       a-1
    captured  A(a)
    `,
    'a row of `captured` is such as `1: A(abc) B(x)`.',
    `
    captured  A(a)
              ^
    `,
  ],
  [
    'effects that are written otherwise',
    `
    A         a-1
    task      +++
    out       a-1
    effects   block A
    `,
    'a row of `effects` is such as `6: begin 1 aligned, unblock A`.',
    `
    effects   block A
              ^
    `,
  ],
]

test.each(cases)('%s is told, with its line', (_, text, problem, shown) => {
  const [line, caret] = shown.split('\n').slice(1, 3)
  expect(() => run(text)).toThrow(`The picture cannot be read: ${problem}\n\n${line?.slice(2)}\n${caret?.slice(2)}`)
})

test('the forms of a legend are told', () => {
  const wrong = () => run('A     w\ntask  +\nout   w\nw  watermarks 1')
  expect(wrong).toThrow(
    /an entry of the legend is one of\n {4}watermark MS\n {4}idle\n.*\n\n {2}w {2}watermarks 1\n {5}\^$/s,
  )
})

test('a lane that the body does not use is told', () => {
  const wrong = () =>
    picture(
      `
      A     a-b
      B     -c-
      task  +++
      out   a-b
      `,
      ({ A, task }) => gate({ A }, task).pipe(align()),
    )
  expect(wrong).toThrow('The picture cannot be read: the body does not use the lane `B`.\n\n  B     -c-\n  ^')
})

test('a picture without out is told', () => {
  expect(() => picture('A  a-b', ({ A }) => A)).toThrow('The picture cannot be read: it has no lane `out`.')
})

test('a gate has a task, and a task one gate', () => {
  const text = 'A     a\ntask  +\nout   a' as const
  expect(() => picture(text, ({ A }) => gate({ A }, undefined as never).pipe(align()))).toThrow(
    'gate: the picture has no lane task',
  )
  expect(() => picture(text, ({ task }) => gate({ A: undefined as never }, task).pipe(align()))).toThrow(
    'gate: the picture has no lane A',
  )
  const twice = () =>
    picture(text, ({ A, task }) => {
      gate({ A }, task)
      return gate({ A }, task).pipe(align())
    })
  expect(twice).toThrow('gate: the task of a picture has one gate.')
})

describe('of marbles', () => {
  test('a letter that the legend of records does not have is told', () => {
    const wrong = () => marbles(({ lane }) => void lane('a-b', { a: 1 }))
    expect(wrong).toThrow('the legend does not say what `b` stands for.\n\n  a-b\n    ^')
  })

  test('a lane that nobody subscribes to is told', () => {
    const wrong = () => marbles(({ lane }) => void lane('a-b'))
    expect(wrong).toThrow('nothing subscribes to the lane.\n\n  a-b\n  ^')
  })

  test('a mark of a full output is ~', () => {
    const wrong = () => marbles(({ full }) => void full('--+'))
    expect(wrong).toThrow('an output is full where `~` stands, and free where `-` does.\n\n  --+\n    ^')
  })

  test('a body that expects nothing is told', () => {
    expect(() => marbles(() => {})).toThrow('expects nothing: call expectLane.')
    expect(() => marbles(({ lane, expectLane }) => void expectLane(lane('a')))).toThrow('call toBe(...) on it')
  })

  test('a body that is a promise is told, because it would leave virtual time', () => {
    expect(() => marbles(async () => {})).toThrow('returned a promise')
  })
})
