import { type Observable, of } from 'rxjs'
import { buffer, side, splits } from 'spillway'
import { align } from 'spillway/operators'
import { gate, type Lanes, picture } from 'spillway/testing'
import { expect, test } from 'vitest'
import { Gate, type GateOrder, type Taken } from '../../lib/channel/gate.ts'

type Two = Lanes<'A' | 'B' | 'task'>
const aligned = ({ A, B, task }: Two) => gate({ A, B }, task).pipe(align())
const unaligned = ({ A, B, task }: Two) => gate({ A, B }, task).pipe(align({ alignment: 'unaligned' }))

test('data passes as it is taken', () =>
  picture(
    `
    A         a-b-w---i
    B         -c---vi--
    task      +++++++++
    out       acb--vw-i
    w         watermark 7
    v         watermark 3
    i         idle
    `,
    aligned,
  ))

test('aligned, it begins with the last barrier', () =>
  picture(
    `
    A         a-1-------
    B         ---b--1---c
    task      +++++++++++
    out       a--b--s---c
    s         begin 1 aligned after 0
    effects   2: block A
    &         6: begin 1 aligned after 0, aligned 1 in 4, unblock A
    `,
    aligned,
  ))

test('the delay of a beginning is counted from the trigger to the first barrier taken', () =>
  picture(
    `
    A         --1
    B         1----
    C         --1--
    task      ---+++
    out       -----s
    s         begin 1 aligned after 3
    effects   3: block B
    &         4: block A
    &         5: begin 1 aligned after 3, aligned 1 in 2, unblock A, unblock B
    `,
    ({ A, B, C, task }) => gate({ A, B, C }, task).pipe(align()),
  ))

test('unaligned, it begins with the first barrier and captures', () =>
  picture(
    `
    A         a-1------
    B         ------1-c
    task      +++++++++
    out       a-1-----c
    effects   2: begin 1 unaligned after 0, capture 1 of A, capture 1 of B
    &         6: aligned 1 in 4
    `,
    unaligned,
  ))

test('what the gate captures passes', () =>
  picture(
    `
    A         ab1
    B         c--d-1
    task      --++++++++
    out       --1ca-bd--
    captured  1: A(ab) B(cd)
    `,
    unaligned,
  ))

test('the cancel marker aborts, and what was blocked is free again', () =>
  picture(
    `
    A         1a---1--
    B         --x-----
    task      ++++++++
    out       --ya----
    x         cancel 1
    y         aborted 1 cancelled
    effects   0: block A
    &         2: unblock A, aborted 1 cancelled
    `,
    aligned,
  ))

test('a newer barrier subsumes the one under way; times count anew', () =>
  picture(
    `
    A         1----2
    B         ---2--
    task      ++++++
    out       ---y-2
    y         aborted 1 subsumed
    effects   0: block A
    &         3: unblock A, aborted 1 subsumed, block B
    &         5: begin 2 aligned after 0, aligned 2 in 2, unblock B
    `,
    aligned,
  ))

test('what was begun and is given up is dropped', () =>
  picture(
    `
    A         1----
    B         ---x-
    task      +++++
    out       1--y-
    x         cancel 1
    y         aborted 1 cancelled
    effects   0: begin 1 unaligned after 0, capture 1 of A, capture 1 of B
    &         3: drop 1, aborted 1 cancelled
    `,
    unaligned,
  ))

test('an ended channel counts as having delivered its barrier', () =>
  picture(
    `
    A         -|
    B         ---1---a
    task      ++++++++
    out       ---1---a
    effects   3: begin 1 aligned after 0, aligned 1 in 0
    `,
    aligned,
  ))

test('the last end is sent on, and it completes', () =>
  picture(
    `
    A         a-|
    B         ----b-|
    task      +++++++
    out       a---b-|
    `,
    aligned,
  ))

test('an end can be the last that was missing', () =>
  picture(
    `
    A         -1---
    B         ----|
    task      +++++
    out       ----1
    effects   1: block A
    &         4: begin 1 aligned, aligned 1 in 3, unblock A
    `,
    aligned,
  ))

test('a failure passes', () =>
  picture(
    `
    A         a--#
    B         -b--
    task      ++++
    out       ab-#
    `,
    aligned,
  ))

test('the elements of a side output and of splits stay in their task', () => {
  const taken = [side('late', buffer(['z'])), splits(['s']), buffer(['a'])].map(
    (element): Taken<string> => ({ kind: 'taken', channel: 0, element }),
  )
  const passed: unknown[] = []
  new TakenGate(of(...taken)).pipe(align<string>()).subscribe(element => passed.push(element))
  expect(passed).toEqual([buffer(['a'])])
})

/** Hands over what channels do not carry. */
class TakenGate extends Gate<string> {
  readonly channels = 1

  constructor(taken$: Observable<Taken<string>>) {
    super(subscriber => taken$.subscribe(subscriber))
  }

  perform(_order: GateOrder): void {}
}
