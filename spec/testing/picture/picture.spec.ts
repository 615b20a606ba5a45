import { align } from 'spillway/operators'
import { gate, picture } from 'spillway/testing'
import { test } from 'vitest'

test('an unaligned barrier passes what waits, and what it passes is captured', () =>
  picture(
    `
    A         abc1d|
    B         x----1yz|
    task      ------+++++++++++
    out       ------1-axbyczd-|
    captured  1: A(abc) B(x)
    `,
    ({ A, B, task }) => gate({ A, B }, task).pipe(align({ alignment: 'unaligned' })),
  ))
