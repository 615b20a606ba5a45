import { from, lastValueFrom, type ObservableInput } from 'rxjs'
import { decode } from '../../decode.ts'
import type { CheckpointId } from '../../element.ts'
import type { Sink, SinkWriter } from '../../graph/sink.ts'
import type { Subtask } from '../../graph/task.ts'
import { absurd } from '../../invariant.ts'
import { checkEncodable, msgpackEncoding } from '../../snapshot/encoding.ts'

/** What the newest durable checkpoint holds of a task: how many records it has written, and what may not be visible yet. */
export interface Durable {
  readonly records: number
  readonly transactions: readonly unknown[]
}

/**
 * A step of a task's life: it writes two records; cuts for a checkpoint; the checkpoint becomes durable; what it contains is
 * published, once or again.
 */
export type Step = 'write' | 'cut' | 'commit' | 'publish'

/**
 * All orders of at most so many steps that the runtime could take: it commits what it has cut, and publishes what it has
 * committed. Writing twice in a row is writing once.
 */
export const ordersOf = (stepsMax: number): readonly (readonly Step[])[] => {
  const orders: (readonly Step[])[] = [[]]
  for (const order of orders) {
    if (order.length < stepsMax) orders.push(...nextOf(order).map(step => [...order, step]))
  }
  return orders
}

const nextOf = (order: readonly Step[]): readonly Step[] => [
  ...(order.at(-1) === 'write' ? [] : (['write'] as const)),
  'cut',
  ...(order.lastIndexOf('cut') > order.lastIndexOf('commit') ? (['commit'] as const) : []),
  ...(publishes(order) ? (['publish'] as const) : []),
]

/** Something has been written, cut and committed. */
const publishes = (order: readonly Step[]): boolean =>
  order.slice(order.indexOf('write')).indexOf('cut') > 0 &&
  order.lastIndexOf('commit') > order.indexOf('cut', order.indexOf('write'))

export interface SinkLifeOptions {
  readonly sink: Sink<any, any>
  readonly epoch: number
  readonly subtask: Subtask
  /** The first checkpoint that it takes. */
  readonly checkpoint: CheckpointId
  /** The nth record of this task. */
  readonly record: (n: number) => unknown
  readonly last: Durable
}

interface CutOff {
  readonly checkpoint: CheckpointId
  /** undefined: it was cut without data. */
  readonly tx: unknown
}

/** A task's writer from a start to its crash, called as the runtime calls it. A crash is that nobody calls it any more. */
export class SinkLife {
  readonly writer: SinkWriter<any, any>
  last: Durable
  /** Records that must be visible. */
  visible: number
  readonly #options: SinkLifeOptions
  #records: number
  #checkpoint: CheckpointId
  #unpublished: readonly CutOff[] = []
  #committed: CheckpointId
  #durables: ObservableInput<unknown>[] = []
  #cut: { readonly records: number; readonly checkpoint: CheckpointId } | undefined
  #published: readonly unknown[] = []
  #closed = false

  constructor(options: SinkLifeOptions) {
    this.#options = options
    this.writer = options.sink.open({ epoch: options.epoch, subtask: options.subtask })
    this.last = options.last
    this.visible = 0
    this.#records = options.last.records
    this.#checkpoint = options.checkpoint
    this.#committed = options.checkpoint - 1
  }

  /** Comes first. */
  async recover(): Promise<this> {
    await done(this.writer.recover({ publish: this.last.transactions }))
    this.visible = this.last.records
    return this
  }

  async do(step: Step): Promise<void> {
    switch (step) {
      case 'write': {
        const { record } = this.#options
        this.writer.write([record(this.#records++), record(this.#records++)])
        return
      }
      case 'cut':
        return this.#cutOff()
      case 'commit':
        return this.#commit()
      case 'publish':
        return this.#publish()
      default:
        return absurd(step)
    }
  }

  async all(...steps: readonly Step[]): Promise<this> {
    for (const step of steps) await this.do(step)
    return this
  }

  /** At the most once, as the contract has it. */
  close(): void {
    if (!this.#closed) this.writer.close()
    this.#closed = true
  }

  /** The next life's first checkpoint: no number is used again. */
  get nextCheckpoint(): CheckpointId {
    return this.#checkpoint
  }

  #cutOff(): void {
    const checkpoint = this.#checkpoint++
    const cut = this.writer.cut(checkpoint)
    if (cut !== undefined) {
      this.#unpublished = [...this.#unpublished, { checkpoint, tx: stored(this.#options.sink, cut.tx) }]
      this.#durables.push(cut.durable)
    }
    this.#cut = { records: this.#records, checkpoint }
  }

  /** Every snapshot holds, and waits for, all that has been cut and not yet published. */
  async #commit(): Promise<void> {
    const { records, checkpoint } = this.#cut as { records: number; checkpoint: CheckpointId }
    for (const durable of this.#durables.splice(0)) await done(durable)
    this.#cut = undefined
    this.#committed = checkpoint
    this.last = { records, transactions: this.#unpublished.map(({ tx }) => tx) }
  }

  async #publish(): Promise<void> {
    const due = this.#due
    const transactions = due.length > 0 ? due.map(({ tx }) => tx) : this.#published
    await done(this.writer.publish(transactions))
    this.#published = transactions
    this.#unpublished = this.#unpublished.filter(cut => !due.includes(cut))
    this.visible = this.last.records
  }

  get #due(): readonly CutOff[] {
    return this.#unpublished.filter(({ checkpoint }) => checkpoint <= this.#committed)
  }
}

/** A transaction as a restore hands it back. */
export const stored = ({ name, transaction }: Sink<any, any>, tx: unknown): unknown => {
  const encoding = msgpackEncoding()
  const encoded = transaction.encode(tx)
  checkEncodable(encoded, `${name}, its transaction`)
  return decode(transaction, encoding.decode(encoding.encode(encoded, name)), {
    place: `${name}, its transaction`,
    remedy: 'Mend its codec.',
    code: 'STATE_NOT_MATCHED',
  })
}

export const done = (input: ObservableInput<unknown>): Promise<unknown> =>
  lastValueFrom(from(input), { defaultValue: undefined })
