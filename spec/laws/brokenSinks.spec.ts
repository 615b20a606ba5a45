import * as t from 'io-ts'
import { defer, EMPTY, from, NEVER } from 'rxjs'
import type { Sink, SinkTask, SinkWriter } from 'spillway'
import { type SinkPlace, sinkLaws } from 'spillway/testing'
import { expect, test } from 'vitest'
import { claims, failing } from './failing.ts'

/** A transaction names what is pending on the shelf. */
interface Tx {
  readonly id: string
}

interface Pending {
  readonly subtask: number
  readonly epoch: number
  readonly records: readonly number[]
}

class Shelf {
  readonly pending = new Map<string, Pending>()
  readonly visible: number[] = []

  publish(transactions: readonly Tx[]): void {
    for (const { id } of transactions) {
      this.visible.push(...(this.pending.get(id)?.records ?? []))
      this.pending.delete(id)
    }
  }
}

type Writer = SinkWriter<number, Tx>
type Broken = (right: Writer, shelf: Shelf, task: SinkTask) => Partial<Writer>

/** Pending transactions wait on a shelf outside; what is broken replaces a part of the writer. */
const place = (broken: Broken): SinkPlace<number> => {
  const shelf = new Shelf()
  const open = (task: SinkTask): Writer => {
    let records: number[] = []
    const right: Writer = {
      mayWrite: () => true,
      ready$: NEVER,
      write: batch => void records.push(...batch),
      cut(checkpoint) {
        if (records.length === 0) return undefined
        const id = `${task.epoch}.${task.subtask.index}.${checkpoint}`
        shelf.pending.set(id, { subtask: task.subtask.index, epoch: task.epoch, records })
        records = []
        return { tx: { id }, durable: EMPTY }
      },
      publish: transactions => defer(() => from([shelf.publish(transactions)])),
      recover: ({ publish }) =>
        defer(() => {
          shelf.publish(publish)
          for (const [id, { subtask, epoch }] of shelf.pending)
            if (epoch < task.epoch && subtask % task.subtask.parallelism === task.subtask.index)
              shelf.pending.delete(id)
          return EMPTY
        }),
      close() {},
    }
    return { ...right, ...broken(right, shelf, task) }
  }
  const sink: Sink<number, Tx> = { name: 'shelf', transaction: t.exact(t.type({ id: t.string })), open }
  return { sink: () => sink, published: () => shelf.visible, leftBehind: () => shelf.pending.size }
}

const visibleLaw = 'a record is visible once it is published, and not before, in whatever order things come'
const crashLaw = 'after a crash between any two steps, what was durable is published once, and nothing else'
const againLaw = 'publishing and recovering again changes nothing'
const closedLaw = 'a closed writer leaves what it has cut to the next start, and nothing else'
const parallelismLaw = 'at another parallelism, each transaction is published once and by its heir'

/** By the law that each breaks, first; and those that cannot hold without it. */
const broken: readonly (readonly [laws: readonly string[], Broken])[] = [
  [
    [visibleLaw, closedLaw],
    // Visible when it is durable.
    (right, shelf) => ({
      cut: checkpoint => {
        const cut = right.cut(checkpoint)
        return cut && { ...cut, durable: defer(() => from([shelf.publish([cut.tx])])) }
      },
    }),
  ],
  [
    [crashLaw, parallelismLaw],
    // What older epochs left behind stays.
    (_, shelf) => ({ recover: ({ publish }) => from([shelf.publish(publish)]) }),
  ],
  [
    [crashLaw, againLaw],
    // What a start is given to publish is published without looking whether it has been.
    (right, shelf, { epoch }) => ({
      recover: ({ publish }) => {
        if (epoch === 3 && publish.length > 0) shelf.visible.push(...shelf.visible.slice(-2))
        return right.recover({ publish })
      },
    }),
  ],
  [
    ['a cut without data gives no transaction'],
    right => ({ cut: checkpoint => right.cut(checkpoint) ?? { tx: { id: 'empty' }, durable: EMPTY } }),
  ],
  [
    ['a transaction comes back as it was from its codec and the encoding'],
    right => ({
      cut: checkpoint => {
        const cut = right.cut(checkpoint)
        return cut && { ...cut, tx: { ...cut.tx, lost: 'by the codec' } }
      },
    }),
  ],
  [
    ['a writer that is full says when it has room'],
    right => {
      let records = 0
      return {
        mayWrite: () => records < 150,
        write(batch) {
          records += batch.length
          right.write(batch)
        },
      }
    },
  ],
  [[closedLaw], (_, shelf) => ({ close: () => shelf.pending.clear() })],
  [
    [parallelismLaw],
    // It discards what another heir is going to publish.
    (right, shelf, { epoch }) => ({
      recover: ({ publish }) =>
        defer(() => {
          shelf.publish(publish)
          for (const [id, pending] of shelf.pending) if (pending.epoch < epoch) shelf.pending.delete(id)
          return right.recover({ publish: [] })
        }),
    }),
  ],
]

const lawsOf = (broken: Broken) =>
  sinkLaws(
    'broken',
    () => place(broken),
    n => n,
    { stepsMax: 4, waitMs: 10 },
  )

for (const [laws, how] of broken) {
  test(`there is a sink that breaks: ${laws.join('; ')}`, async () => {
    expect(await failing(lawsOf(how))).toEqual(laws)
  })
}

test('each law of sinks is broken by one of these, and none by the sink that is not', async () => {
  const right = lawsOf(() => ({}))
  expect(await failing(right)).toEqual([])
  expect([...new Set(broken.flatMap(([laws]) => laws))].sort()).toEqual(claims(right).toSorted())
})
