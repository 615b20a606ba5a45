import * as t from 'io-ts'
import { asyncScheduler, EMPTY, Subject } from 'rxjs'
import { type Job, memoryStore, type Pipeline, type RunOptions, type Sink } from 'spillway'
import type { Environment } from 'spillway/testing'
import { runIn } from '../run.ts'
import { promptHalves } from './channelForms.ts'

/** An environment whose clock stands still and whose slices are short, so that turns are all there is. */
export const stepped = (onTurn: (turn: number) => void, halves = false): Environment => {
  let turn = 0
  return {
    scheduler: asyncScheduler,
    clock: () => 0,
    nextSlice: slice => void setImmediate(slice),
    choose: () => {
      onTurn(++turn)
      return 0
    },
    sliceTurnsMax: 4,
    ...(halves ? promptHalves : {}),
  }
}

/**
 * A sink that collects exactly once across runs, and takes its time: it is full after each batch for some macrotasks. Transactions are
 * told apart by `prefix` from those of another one that it is given.
 */
export const slowCollect = <T>(records: T[], options: { macrotasks: number; prefix?: string }): Sink<T> => {
  const published = new Set<string>()
  let cuts = 0
  const publish = (transactions: readonly { id: string; records: readonly T[] }[]) => {
    for (const { id, records: more } of transactions) {
      if (published.has(id)) continue
      published.add(id)
      records.push(...more)
    }
    return EMPTY
  }
  return {
    name: 'slowCollect',
    transaction: t.type({ id: t.string, records: t.readonlyArray(t.any) }),
    open: () => {
      const ready$ = new Subject<void>()
      let [open, busy, closed] = [[] as T[], 0, false]
      const rest = () => {
        busy--
        if (closed) return
        if (busy > 0) setImmediate(rest)
        else ready$.next()
      }
      return {
        mayWrite: () => busy === 0,
        ready$,
        write(batch) {
          open.push(...batch)
          if (busy === 0 && options.macrotasks > 0) setImmediate(rest)
          busy = options.macrotasks
        },
        cut() {
          if (open.length === 0) return undefined
          const tx = { id: `${options.prefix ?? ''}${cuts++}`, records: open }
          open = []
          return { tx, durable: EMPTY }
        },
        publish,
        recover: ({ publish: left }) => publish(left),
        close() {
          closed = true
        },
      }
    },
  }
}

interface SteppedOptions extends RunOptions {
  /** Channels have two halves. */
  readonly halves?: boolean
}

/** Runs to the end; gives the number of turns that it took. */
export const turnsOf = async (
  pipelines: readonly Pipeline[],
  { halves = false, ...options }: SteppedOptions,
): Promise<number> => {
  let turns = 0
  await runIn(
    stepped(turn => {
      turns = turn
    }, halves),
    pipelines,
    options,
  ).done
  return turns
}

/**
 * Takes a checkpoint in the given turn, stops the job once it is durable, and runs it again from there to its end. False if the
 * job ended before.
 */
export const stoppedAndResumed = async (
  pipelines: () => readonly Pipeline[],
  options: SteppedOptions & { readonly turn: number; readonly alignment: 'aligned' | 'unaligned' },
): Promise<boolean> => {
  const { turn, alignment, halves = false, ...rest } = options
  const store = memoryStore()
  let taken: Promise<unknown> | undefined
  const first: Job = runIn(
    stepped(at => {
      if (at === turn) taken = first.triggerCheckpoint({ alignment }).then(() => first.cancel())
    }, halves),
    pipelines(),
    { ...rest, store },
  )
  await first.done.catch(() => {})
  const resumed = await (taken?.then(
    () => true,
    () => false,
  ) ?? false)
  await runIn(
    stepped(() => {}, halves),
    pipelines(),
    { ...rest, store },
  ).done
  return resumed
}
