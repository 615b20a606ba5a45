import { expect, test } from 'vitest'
import { agree } from '../../../lib/testing/picture/words.ts'

const said = 'begin 1 aligned after 2'

test.each([
  ['all of them', said, true],
  ['without its end', 'begin 1 aligned', true],
  ['without its middle', 'begin 1 after 2', true],
  ['another number', 'begin 2', false],
  ['another delay', 'begin 1 aligned after 3', false],
  ['other words', 'begin 1 unaligned', false],
  ['another kind', 'aligned', false],
  ['more words', 'begin 1 aligned after 2 ms', false],
  ['a number for another', 'begin 1 2', false],
  ['another order', 'begin after 2 1', false],
])('words that leave some out agree with what is said: %s', (_, words, agreed) => {
  expect(agree(words, { said })).toBe(agreed)
})
