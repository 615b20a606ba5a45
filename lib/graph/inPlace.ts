import { asyncScheduler, defer, from, mergeMap, Observable, type SchedulerLike } from 'rxjs'
import type { StreamElement } from '../element.ts'
import { defaultKeyGroups } from '../state/keyGroups.ts'
import { type CapturedOperator, OperatorState, type RestoredOperator } from '../state/operatorState.ts'
import { Reading } from './reading.ts'
import type { Source } from './source.ts'
import type { OperatorNode, Stream } from './stream.ts'
import type { Rest, Subtask, Task } from './task.ts'

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
  readonly #rests: Rest[] = []

  constructor(options: InPlaceOptions) {
    this.#options = options
    this.subtask = options.subtask ?? { index: 0, parallelism: 1 }
    this.scheduler = options.scheduler ?? asyncScheduler
    this.keyGroups = options.keyGroups ?? defaultKeyGroups
    this.#output = options.output
    this.#restored = options.restored ?? new Map()
    this.#output?.free$.subscribe(() => this.#resume())
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
            const reading = new Reading(source, all, this.open(node))
            const takeAll = () => {
              while (!subscriber.closed) {
                const elements = reading.take(this.bufferRecordsMax)
                if (elements === undefined) return
                for (const element of elements) subscriber.next(element)
                if (elements.at(-1)?.kind === 'end') subscriber.complete()
              }
            }
            const ready = reading.ready$.subscribe({ next: takeAll, error: error => subscriber.error(error) })
            takeAll()
            return () => {
              ready.unsubscribe()
              reading.close()
            }
          }),
      ),
    )
  }

  mayGoOn(position: number): boolean {
    return (this.#output?.mayGoOn() ?? true) && nothingNearer(this.#rests, position)
  }

  hasTurn(): boolean {
    return true
  }

  suspend(rest: Rest): void {
    insertRest(this.#rests, rest)
  }

  open(node: { readonly name: string }): OperatorState {
    this.#operators.delete(node)
    const taken = new Set(this.states.map(({ operator }) => operator))
    let { name } = node
    for (let n = 2; taken.has(name); n++) name = `${node.name}#${n}`
    const state = new OperatorState(name, this.keyGroups, this.#restored.get(name))
    this.#operators.set(node, state)
    return state
  }

  /** Of the operators that have been opened. */
  get states(): readonly OperatorState[] {
    return [...this.#operators.values()]
  }

  /** What a snapshot of the task holds now, by reference. */
  capture(): readonly CapturedOperator[] {
    return this.states.map(state => state.capture())
  }

  /** What a snapshot of the task holds now, ready to restore another one from. */
  snapshot(): ReadonlyMap<string, RestoredOperator> {
    return new Map(this.capture().map(captured => [captured.operator, restoredOf(captured)]))
  }

  get suspended(): boolean {
    return this.#rests.length > 0
  }

  /** Resumes the suspended operator that is nearest to the output. */
  resumeNext(): void {
    this.#rests.shift()?.resume()
  }

  #resume(): void {
    do this.resumeNext()
    while (this.suspended && this.#output?.mayGoOn() !== false)
  }
}

const restoredOf = ({ kept, tables }: CapturedOperator): RestoredOperator => ({
  kept,
  tables: new Map(
    tables.map(({ name, captured, encode }) => {
      const entries = [...captured.entries()].map(([group, key, value]) => [group, key, encode(value)] as const)
      captured.release()
      return [name, [entries]]
    }),
  ),
})

/** Keeps the rests nearest to the output first. */
export const insertRest = (rests: Rest[], rest: Rest): void => {
  const behind = rests.findIndex(other => other.position < rest.position)
  rests.splice(behind < 0 ? rests.length : behind, 0, rest)
}

/** Of rests in this order, none is nearer to the output than `position`. */
export const nothingNearer = (rests: readonly Rest[], position: number): boolean =>
  rests.length === 0 || (rests[0] as Rest).position <= position
