import * as t from 'io-ts'
import { defer, type Observable, Subject, Subscription, tap } from 'rxjs'
import type { CheckpointId } from '../../element.ts'
import type { Sink, SinkTask, SinkWriter } from '../../graph/sink.ts'
import { InjectedFault } from './faults.ts'
import type { Process } from './process.ts'
import type { Random } from './random.ts'
import { remotely } from './remotely.ts'

/** What a simulated sink has on its medium: it outlives every process. */
interface Transaction {
  readonly subtask: number
  readonly epoch: number
  readonly checkpoint: CheckpointId
  readonly records: readonly unknown[]
  /** `cut`: it would not survive its process. */
  state: 'cut' | 'durable' | 'published' | 'discarded'
}

/**
 * The world behind a sink: what has been published, of each task in order. Tells the simulation of every breach of the sink's
 * contract, and of publications before their checkpoint is durable.
 */
export class Outside {
  /** By subtask. */
  readonly published: unknown[][] = []
  readonly name: string
  readonly #transactions = new Map<string, Transaction>()
  readonly #random: Random
  readonly #slowness: number

  /** `slowness`: how likely a sink is full for a while after a write. */
  constructor(name: string, random: Random, options: { readonly slowness: number }) {
    this.name = name
    this.#random = random
    this.#slowness = options.slowness
  }

  /** The sink as a process sees it. */
  sinkOf(process: Process): Sink<unknown, string> {
    return {
      name: this.name,
      transaction: t.string,
      open: task => {
        process.opened(`sink ${this.name}`)
        return this.#writer(process, task)
      },
    }
  }

  #writer(process: Process, { subtask, epoch }: SinkTask): SinkWriter<unknown, string> {
    const { world } = process
    const ready$ = new Subject<void>()
    let open: unknown[] = []
    let cuts = 0
    let [full, closed, recovered] = [false, false, false]
    const expects = (holds: boolean, claim: string) => {
      if (!holds) world.violated(`the sink ${this.name}: ${claim}`)
    }
    let emptied = Subscription.EMPTY
    const isFullFor = (durationMs: number) => {
      full = true
      emptied.unsubscribe()
      emptied = process.after(durationMs, () => {
        full = false
        ready$.next()
      })
    }
    return {
      mayWrite: () => !full,
      ready$,
      write: batch => {
        expects(recovered && !closed, 'nothing is written before `recover` or after `close`')
        if (process.strikes('sinkFailure')) throw new InjectedFault('the sink takes no records')
        for (const record of batch) open.push(record)
        if (process.strikes('sinkDelay')) isFullFor(3 * process.everyMs)
        else if (this.#random.chance(this.#slowness)) isFullFor(this.#random.next() * 4)
      },
      cut: checkpoint => {
        expects(recovered && !closed, 'nothing is cut before `recover` or after `close`')
        if (open.length === 0) return undefined
        const id = `${this.name}/${epoch}.${subtask.index}.${cuts++}`
        this.#transactions.set(id, { subtask: subtask.index, epoch, checkpoint, records: open, state: 'cut' })
        open = []
        return { tx: id, durable: this.#later(process, () => this.#become(id, 'durable')) }
      },
      publish: transactions => {
        expects(recovered && !closed, 'nothing is published before `recover` or after `close`')
        return this.#later(process, () => this.#publish(process, transactions))
      },
      recover: ({ publish }) => {
        expects(!recovered && !closed, '`recover` comes first, and again only if it has failed')
        const recovery = this.#later(process, () => {
          this.#publish(process, publish)
          this.#discardBefore(epoch, subtask)
        })
        return recovery.pipe(
          tap({
            complete: () => {
              recovered = true
            },
          }),
        )
      },
      close: () => {
        expects(!closed, '`close` comes once')
        closed = true
        emptied.unsubscribe()
        process.closed(`sink ${this.name}`)
      },
    }
  }

  /** Takes effect after a while, or fails, and then may have taken effect. */
  #later(process: Process, effect: () => void): Observable<void> {
    return defer(() => {
      const fails = process.strikes('sinkFailure') !== undefined
      const takesEffect = !fails || this.#random.chance(0.5)
      return remotely(process, this.#random.next() * 3, () => {
        if (takesEffect) effect()
        if (fails) throw new InjectedFault('the sink fails')
      })
    })
  }

  #become(id: string, state: Transaction['state']): void {
    const transaction = this.#transactions.get(id) as Transaction
    if (transaction.state === 'cut') transaction.state = state
  }

  #publish(process: Process, ids: readonly string[]): void {
    const { world } = process
    for (const id of ids) {
      const transaction = this.#transactions.get(id)
      if (transaction === undefined) {
        world.violated(`the sink ${this.name}: it is asked to publish ${id}, which it never cut`)
        continue
      }
      const { state, subtask, checkpoint, records } = transaction
      if (state === 'published') continue
      if (state !== 'durable') world.violated(`the sink ${this.name}: it is asked to publish ${id}, which is ${state}`)
      if (checkpoint > world.disk.committed)
        world.violated(`the sink ${this.name}: it is asked to publish ${id} before checkpoint ${checkpoint} is durable`)
      transaction.state = 'published'
      const line = this.published[subtask] ?? []
      this.published[subtask] = line
      for (const record of records) line.push(record)
      world.note(`sink ${this.name}`, 'P')
    }
  }

  /** What a start of this epoch has not been handed is not part of what it was restored from. */
  #discardBefore(epoch: number, { index, parallelism }: SinkTask['subtask']): void {
    for (const transaction of this.#transactions.values()) {
      if (transaction.epoch >= epoch || transaction.subtask % parallelism !== index) continue
      if (transaction.state === 'cut' || transaction.state === 'durable') transaction.state = 'discarded'
    }
  }
}
