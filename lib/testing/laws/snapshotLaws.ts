import type { HarnessSnapshot } from '../harnessSnapshot.ts'
import { cut, ended, OperatorRun } from './operatorRun.ts'
import { beforeBarrier, type Elements, expectOutputs, outputName, outputsOf } from './outputs.ts'
import { type Tried, tried } from './reference.ts'
import { expectSame } from './same.ts'

/** Barriers, snapshots and restores at every position. */
export const snapshotLaws: Readonly<Record<string, (subject: Tried) => void>> = {
  'a barrier passes once and at its place, wherever it comes': subject => {
    const { reference, keyOf } = subject
    for (const alignment of alignments) {
      for (let position = 0; position < reference.steps; position++) {
        const where = `${alignment} barrier behind element ${position}`
        const run = new OperatorRun(subject).play({ to: position })
        if (run.h.ended) continue
        run.h.barrier(1, { alignment })
        run.rest({ from: position })
        const outputs = outputsOf(run.elements)
        for (const [name, { barriers }] of outputs) {
          const expected = [{ checkpoint: 1, after: reference.before[position]?.get(name) ?? 0 }]
          expectSame(barriers, { expected, where: `${where}, ${outputName(name)}` })
        }
        expectOutputs(outputs, { expected: reference.outputs, keyOf, where })
      }
    }
  },

  'one record alone comes through restores before and behind it': subject => {
    const lanes = subject.lanes.map(lane =>
      ended(
        cut(lane, 1)
          .filter(({ kind }) => kind === 'buffer')
          .slice(0, 1),
      ),
    )
    const single = tried({ ...subject, lanes, recordsMax: 1 })
    for (const alignment of alignments) {
      for (let position = 0; position < single.reference.steps; position++) {
        const run = new OperatorRun(single).play({ to: position })
        expectRest(single, run, { position, alignment, where: `${alignment} snapshot behind element ${position}` })
      }
    }
  },

  'a snapshot taken at any position, restored into a new instance, gives the rest': subject => {
    for (const of of [subject, recordByRecord(subject)]) {
      for (const alignment of alignments) {
        for (let position = 0; position < of.reference.steps; position++) {
          const run = new OperatorRun(of).play({ to: position })
          const records = of === subject ? '' : ', of one record each'
          const where = `${alignment} snapshot behind element ${position}${records}`
          expectRest(of, run, { position, alignment, where })
        }
      }
    }
  },

  'a snapshot taken while the output is full holds what is suspended and what waits': subject => {
    eachSuspension(subject, (suspended, { position, room, where }) => {
      for (const waiting of subject.source === undefined ? [0, 2] : [0]) {
        for (const alignment of alignments) {
          const run = waiting === 0 && alignment === 'aligned' ? suspended : suspendedAt(subject, { position, room })
          run.play({ from: position + 1, to: position + 1 + waiting })
          const at = `${alignment} snapshot, ${where}, ${waiting} more elements sent`
          expectRest(subject, run, { position: position + 1 + waiting, alignment, where: at })
        }
      }
    })
  },

  'a snapshot taken again and again after restores, two results apart, gives the rest': subject => {
    const { reference, keyOf } = subject
    eachSuspension(subject, (first, { position, where }) => {
      const parts: Elements[] = []
      let run = first
      for (let restart = 1; run.h.suspended && restart <= restartsMax; restart++) {
        const { snapshot, before } = snapshotOf(run, 'unaligned')
        parts.push(before)
        // Of two results one is asked for when those delivered before have been skipped.
        run = new OperatorRun(subject, { restored: snapshot, room: 2 })
      }
      run.rest({ from: position + 1, again: true })
      expectOutputs(outputsOf(...parts, run.elements), { expected: reference.outputs, keyOf, where })
    })
  },
}

const alignments = ['aligned', 'unaligned'] as const

/** With a position between any two records, however few buffers are given. */
const recordByRecord = (subject: Tried): Tried =>
  tried({ ...subject, lanes: subject.lanes.map(lane => cut(lane, 1)), recordsMax: 1 })

interface Position {
  /** The number of steps played before the barrier. */
  readonly position: number
  readonly alignment: 'aligned' | 'unaligned'
  readonly where: string
}

/** The run itself goes on as if nothing had been, and a new instance restored from its snapshot gives what follows the barrier. */
const expectRest = (subject: Tried, run: OperatorRun, { position, alignment, where }: Position): void => {
  const { reference, keyOf } = subject
  if (run.h.ended) return
  run.h.barrier(1, { alignment })
  run.rest({ from: position })
  expectOutputs(outputsOf(run.elements), { expected: reference.outputs, keyOf, where: `${where}, the run itself` })
  // Aligned, it waits behind what is suspended; an end that comes first stands for it.
  if (!run.h.elements.some(({ kind }) => kind === 'barrier')) return
  const before = beforeBarrier(run.elements, 1)
  const restored = new OperatorRun(subject, { restored: run.h.snapshot() }).rest({ from: position, again: true })
  expectOutputs(outputsOf(before, restored.elements), {
    expected: reference.outputs,
    keyOf,
    where: `${where}, restored`,
  })
}

const snapshotOf = (
  run: OperatorRun,
  alignment: 'aligned' | 'unaligned',
): { readonly snapshot: HarnessSnapshot; readonly before: Elements } => {
  run.h.barrier(1, { alignment })
  return { snapshot: run.h.snapshot(), before: beforeBarrier(run.elements, 1) }
}

interface Suspension {
  /** The element that is suspended in. */
  readonly position: number
  /** The results it has given, some at a time. */
  readonly room: readonly number[]
  readonly where: string
}

/**
 * Runs that are suspended after the first, second, ... result of each element, stopped there or at every result; behind the
 * eighth at larger steps.
 */
const eachSuspension = (subject: Tried, act: (run: OperatorRun, suspension: Suspension) => void): void => {
  for (let position = 0; position < subject.reference.steps; position++) {
    for (let results = 1; ; results = results < 8 ? results + 1 : 2 * results) {
      const rooms = [[results], ...(results === 1 ? [] : [new Array<number>(results).fill(1)])]
      const runs = rooms.map(room => ({ room, run: suspendedAt(subject, { position, room }) }))
      if (!runs.every(({ run }) => run.h.suspended)) break
      for (const { room, run } of runs) {
        const stopped = room.length === 1 ? '' : ', stopped at each'
        act(run, { position, room, where: `suspended in element ${position + 1} after ${results} results${stopped}` })
      }
    }
  }
}

const suspendedAt = (subject: Tried, { position, room }: Omit<Suspension, 'where'>): OperatorRun => {
  const run = new OperatorRun(subject).play({ to: position })
  const [first = 1, ...others] = room
  run.h.free(first)
  run.step(position)
  for (const results of others) run.h.free(results)
  return run
}

const restartsMax = 20
