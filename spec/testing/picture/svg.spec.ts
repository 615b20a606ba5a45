import { svg } from 'spillway/testing'
import { expect, test } from 'vitest'

const drawn = svg(`
    A         a1c-|
    &         --w
    B         x--u#
    task      +++++~
    out       ax-1c
    captured  1: A(c) B(xw)
    effects   1: block A
    &         3: begin 1, unblock A
    w         watermark 10
    u         barrier 1 unaligned
`)

/** How many shapes of a class there are. */
const count = (name: string) => drawn.split(/class="/).filter(part => part.startsWith(`${name}"`)).length

/** The numbers of an attribute of all shapes of a class. */
const numbers = (name: string, attribute: string) =>
  Array.from(drawn.matchAll(new RegExp(`class="${name}"[^>]* ${attribute}="([^"]+)"`, 'g')), ([, n]) => Number(n))

test('each record is a circle with the colour of the lane that brings it, wherever it is', () => {
  expect(count('record from0')).toBe(5)
  expect(count('record from1')).toBe(3)
})

test('a column has one place in all lanes', () => {
  const [a, c] = numbers('record from0', 'cx') as [number, number]
  expect(numbers('record from0', 'cx').slice(0, 4)).toEqual([a, c, a, a + 2 * (c - a)])
})

test('barriers stand out, unaligned ones from aligned ones', () => {
  expect(count('barrier')).toBe(3)
  expect(count('barrier unaligned')).toBe(2)
})

test('ends, failures and what the task takes are marked', () => {
  expect([count('end'), count('failure'), count('taken')]).toEqual([1, 1, 6])
})

test('what the legend names is shown by its letter, and told below', () => {
  expect(count('named')).toBe(3)
  expect(count('words')).toBe(2)
})

test('a lane is marked while it is blocked', () => {
  const [from] = numbers('blocked', 'x1')
  const [to] = numbers('blocked', 'x2')
  const [a] = numbers('record from0', 'cx') as [number]
  const [taken] = /class="taken" d="M(\d+)/.exec(drawn)?.slice(1).map(Number) ?? []
  expect([from, to]).toEqual([a + 28, a + 3 * 28])
  expect(taken).toBe(a)
})

test('in-flight data stands together by lane', () => {
  expect(count('captured')).toBe(2)
  const [one, two] = numbers('captured', 'width') as [number, number]
  expect(two).toBeGreaterThan(one)
})

test('its title is the text, and nothing of it is markup', () => {
  expect(drawn).toContain('<title>A         a1c-|\n&amp;         --w\n')
  expect(drawn).toContain('prefers-color-scheme: dark')
})

test('all of it lies within its size', () => {
  const [width, height] = ['width', 'height'].map(side =>
    Number(new RegExp(`<svg[^>]* ${side}="(\\d+)"`).exec(drawn)?.[1]),
  )
  const within = (attribute: string, limit: number | undefined) => {
    const all = Array.from(drawn.matchAll(new RegExp(` ${attribute}="(\\d+(?:\\.\\d+)?)"`, 'g')), ([, n]) => Number(n))
    expect(all.length).toBeGreaterThan(5)
    expect(all.filter(n => !(n < Number(limit)))).toEqual([])
  }
  within('(?:c?x|x2)', width)
  within('(?:c?y|y2)', height)
})

test('it is as wide as its longest row of in-flight data', () => {
  const [short, long] = ['A(ab)', 'A(ab) B(abababababababab)'].map(list =>
    Number(/ width="(\d+)"/.exec(svg(`A         ab\nB         ab\ncaptured  1: ${list}`))?.[1]),
  )
  expect(long).toBeGreaterThan(Number(short) + 16 * 20)
})

test('a picture may be drawn without an output', () => {
  expect(svg('Name  a-1|')).toContain('class="record from0"')
})
