import { asyncScheduler, defer, from, mergeMap, Observable, type SchedulerLike } from 'rxjs'
import type { StreamElement } from '../element.ts'
import { checkRoundTrip } from '../snapshot/checkRoundTrip.ts'
import { msgpackEncoding } from '../snapshot/encoding.ts'
import { hashOf } from '../snapshot/hashOf.ts'
import { defaultKeyGroups } from '../state/keyGroups.ts'
import { type CapturedOperator, capturedOf, OperatorState, type RestoredOperator } from '../state/operatorState.ts'
import { Reading } from './reading.ts'
import type { Source } from './source.ts'
import type { OperatorNode, Stream } from './stream.ts'
import type { Awaiting, Rest, Subtask, Task } from './task.ts'
import { Unfinished } from './unfinished.ts'

/** An output that may be full; without one nothing is ever suspended. */
export interface Output {
  mayGoOn(): boolean
  /** Emits when `mayGoOn` may have become true. */
  readonly free$: Observable<unknown>
}

export interface InPlaceOptions {
  readonly output?: Output
  /** Answers for streams that come from outside the task, as a gate does; without it all is built in place. */
  readonly input?: Task['input']
  /** Reads sources instead of the task itself, which reads them at once. */
  readonly read?: Task['read']
  /** What waits for something outside the task could go on: whoever drives the task calls `goOn`. Without it, it does at once. */
  readonly onReady?: () => void
  readonly scheduler?: SchedulerLike
  readonly subtask?: Subtask
  readonly restored?: ReadonlyMap<string, RestoredOperator>
  readonly keyGroups?: number
}

/** A task of its own for streams that run in place: for tests, and for pipelines without checkpoints. */
export const inPlace = (options: InPlaceOptions = {}): InPlaceTask => new InPlaceTask(options)

export class InPlaceTask implements Task {
  readonly subtask: Subtask
  readonly scheduler: SchedulerLike
  readonly keyGroups: number
  readonly bufferRecordsMax = 256
  readonly checks = true
  /** By what has opened them; operators without state may have one name, and their frames must be told apart all the same. */
  readonly #operators = new Map<object, OperatorState>()
  readonly #options: InPlaceOptions
  readonly #output: Output | undefined
  readonly #restored: ReadonlyMap<string, RestoredOperator>
  readonly #unfinished = new Unfinished()
  readonly #reads = new Set<() => void>()
  #going = false

  constructor(options: InPlaceOptions) {
    this.#options = options
    this.subtask = options.subtask ?? { index: 0, parallelism: 1 }
    this.scheduler = options.scheduler ?? asyncScheduler
    this.keyGroups = options.keyGroups ?? defaultKeyGroups
    this.#output = options.output
    this.#restored = options.restored ?? new Map()
    this.#output?.free$.subscribe(() => this.#goOnWhileFree())
  }

  input<T>(stream: Stream<T>): Observable<StreamElement<T>> | undefined {
    return this.#options.input?.(stream)
  }

  read<T>(source: Source<T>, node: OperatorNode): Observable<StreamElement<T>> {
    if (this.#options.read !== undefined) return this.#options.read(source, node)
    return defer(() => from(source.splits())).pipe(
      mergeMap(
        all =>
          new Observable<StreamElement<T>>(subscriber => {
            const reading = new Reading(source, all, this.open(node), { ...node.lineage, scheduler: this.scheduler })
            let taking = false
            const takeAll = () => {
              if (taking) return
              taking = true
              while (!subscriber.closed && !this.full) {
                const elements = reading.take(this.bufferRecordsMax)
                if (elements === undefined) break
                for (const element of elements) subscriber.next(element)
                if (elements.at(-1)?.kind === 'end') subscriber.complete()
              }
              taking = false
            }
            this.#reads.add(takeAll)
            const ready = reading.ready$.subscribe({ next: takeAll, error: error => subscriber.error(error) })
            takeAll()
            return () => {
              this.#reads.delete(takeAll)
              ready.unsubscribe()
              reading.close()
            }
          }),
      ),
    )
  }

  mayGoOn(position: number): boolean {
    return (this.#output?.mayGoOn() ?? true) && this.#unfinished.nothingNearer(position)
  }

  hasTurn(): boolean {
    return true
  }

  suspend(rest: Rest): void {
    this.#unfinished.suspend(rest)
  }

  awaits(operator: Awaiting): () => void {
    this.#unfinished.awaits(operator)
    return this.#options.onReady ?? (() => this.#goOnAtOnce())
  }

  open(node: { readonly name: string }): OperatorState {
    this.#operators.delete(node)
    const taken = new Set(this.states.map(({ operator }) => operator))
    let { name } = node
    for (let n = 2; taken.has(name); n++) name = `${node.name}#${n}`
    const state = new OperatorState(name, this.keyGroups, this.#restored.get(name), {
      hashOf,
      roundTrip: (stored, place) => checkRoundTrip(stored, { place, encoding }),
    })
    this.#operators.set(node, state)
    return state
  }

  /** Of the operators that have been opened. */
  get states(): readonly OperatorState[] {
    return [...this.#operators.values()]
  }

  /** What a snapshot of the task holds now, by reference. */
  capture(): readonly CapturedOperator[] {
    return capturedOf(this.states)
  }

  /** What a snapshot of the task holds now, ready to restore another one from. */
  snapshot(): ReadonlyMap<string, RestoredOperator> {
    return new Map(this.capture().map(captured => [captured.operator, restoredOf(captured)]))
  }

  get suspended(): boolean {
    return this.#unfinished.suspended
  }

  /** It takes no more data. */
  get full(): boolean {
    return this.#unfinished.full
  }

  /** Something that is suspended or has waited could go on. */
  get ready(): boolean {
    return this.#unfinished.ready
  }

  /** Lets what is nearest to the output go on. */
  goOn(): void {
    this.#unfinished.goOn()
  }

  #goOnAtOnce(): void {
    if (this.#output?.mayGoOn() !== false) this.#goOnWhileFree()
  }

  #goOnWhileFree(): void {
    if (this.#going) return
    this.#going = true
    do this.goOn()
    while (this.ready && this.#output?.mayGoOn() !== false)
    this.#going = false
    for (const takeAll of this.#reads) takeAll()
  }
}

/** As a job has it: what would be refused there is refused here. */
const encoding = msgpackEncoding()

const restoredOf = ({ kept, tables }: CapturedOperator): RestoredOperator => ({
  kept,
  tables: new Map(
    tables.map(({ name, captured, encode }) => {
      const entries = [...captured.batches(1_000)]
        .flat()
        .map(([group, key, value]) => [group, key, encode(value)] as const)
      captured.release()
      return [name, [entries]]
    }),
  ),
})
