import { filter, map, Observable, share, tap } from 'rxjs'
import type { Buffer, Key, StreamElement } from '../element.ts'
import { SpillwayError } from '../error.ts'
import type { BroadcastEffect } from '../state/broadcastLines.ts'
import type { Partitioner } from './channelsOf.ts'
import { checkOption } from './checkOption.ts'
import { checkParallelism, type Exchange } from './exchange.ts'
import { frozen } from './frozen.ts'
import { inPlace } from './inPlace.ts'
import type { Sink } from './sink.ts'
import type { AtMostOnceSource, Source } from './source.ts'
import type { Task } from './task.ts'
import { root } from './together.ts'

/** Names and types of the side outputs of an operator. */
export type Sides = Record<string, unknown>
export type NoSides = Record<never, never>

/** What a stream remembers of where it comes from: its operator and that one's inputs. */
export interface Lineage {
  /** The operator's name: its verb, unless `named` gives another. */
  readonly name: string
  readonly inputs: readonly AnyStream[]
  readonly exchange?: Exchange
  /** Tasks of the stage that begins behind the exchange, or with the source; default the job's. */
  readonly parallelism?: number
  /** Barriers on the exchange are always aligned, and so is the whole task behind it. */
  readonly alignedOnly?: boolean
  /** Of a custom exchange. */
  readonly partitioner?: Partitioner<any>
  /** It has state, timers or positions: its name must be the only one of its kind in the job. */
  readonly stateful?: boolean
  readonly sides?: readonly string[]
  /** It has broadcast state (what it keeps under a name without parentheses), of which a restore must know this. */
  readonly broadcastEffect?: BroadcastEffect
  /** The names of its union state, of which a restore gives all tasks everything. */
  readonly unionStates?: readonly string[]
  readonly source?: Source<unknown, any, any>
  /** Of a source, ms. */
  readonly idleAfterMs?: number
  /** Of a source: whether what it reads had come before, if its stream says so. */
  readonly backlog?: boolean
  /** It gives the records their event times, so it must stand before any exchange. */
  readonly givesEventTime?: boolean
}

type Build<T> = (task: Task, node: OperatorNode) => Observable<StreamElement<T>>

/** One operator of a pipeline. A stream is its main output or one of its sides; however many consume it, it runs once a task. */
export class OperatorNode {
  /** Set again by `named` alone, before anything runs. */
  name: string
  readonly lineage: Lineage
  /** Greater than that of everything upstream: of two suspended operators of a task the one nearer to the output has the larger. */
  readonly position: number
  readonly #build: Build<unknown>
  readonly #running = new WeakMap<Task, Observable<StreamElement<unknown>>>()

  constructor(lineage: Lineage, build: Build<unknown>) {
    for (const input of lineage.inputs) checkStream(input, lineage.name)
    this.lineage = lineage
    this.name = lineage.name
    this.position = 1 + Math.max(0, ...lineage.inputs.map(input => input.node.position))
    this.#build = build
  }

  in(task: Task): Observable<StreamElement<unknown>> {
    let running = this.#running.get(task)
    if (running === undefined) {
      const emitted = this.#build(task, this)
      const built = this.lineage.inputs.length === 0 ? root(task, emitted) : emitted
      running = (task.checks ? built.pipe(tap(freezeRecords)) : built).pipe(share())
      this.#running.set(task, running)
    }
    return running
  }
}

/**
 * A typed stream of records as it is written: an Observable of {@link StreamElement}s that remembers its lineage and is a
 * function of the task it runs in. Nothing runs until `run`, or until it is subscribed to: then it runs in place, as one
 * task, which is how marble tests use it.
 */
export class Stream<out T, out S extends Sides = NoSides> extends Observable<StreamElement<T>> {
  declare protected readonly 'a Spillway stream (RxJS operators go inside eachRecord(...))': S
  readonly node: OperatorNode
  /** The side output that this stream is, or undefined for the main one. */
  readonly sideName: string | undefined

  constructor(lineage: Lineage | { readonly of: OperatorNode; readonly side: string | undefined }, build?: Build<T>) {
    super(subscriber => this.in(inPlace()).subscribe(subscriber))
    if ('of' in lineage) {
      this.node = lineage.of
      this.sideName = lineage.side
    } else {
      this.node = new OperatorNode(lineage, build as Build<unknown>)
      this.sideName = undefined
    }
  }

  /** The stream's elements as the given task sees them: from its gate where the job was cut, else from the operator. */
  in(task: Task): Observable<StreamElement<T>> {
    return task.input(this) ?? (selected(this.node.in(task), this) as Observable<StreamElement<T>>)
  }

  /** The records alone: for tests, and for leaving Spillway. */
  get records$(): Observable<T> {
    return new Observable<T>(subscriber =>
      this.subscribe({
        next: element => {
          if (element.kind === 'buffer') for (const record of element.records) subscriber.next(record)
        },
        error: error => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    )
  }

  /** A side output of the operator: late records, rejects. Carries the same watermarks, barriers and end. */
  side<N extends keyof S & string>(name: N): Carry<this, Stream<S[N]>> {
    return new Stream<S[N]>({ of: this.node, side: name }) as Carry<this, Stream<S[N]>>
  }

  override pipe(): this
  override pipe<A extends Out>(a: Fn<this, A>): Carry<this, A>
  override pipe<A extends AnyStream, B extends Out>(a: Fn<this, A>, b: Fn<Given<A>, B>): Carry<this, B>
  override pipe<A extends AnyStream, B extends AnyStream, C extends Out>(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
  ): Carry<this, C>
  override pipe<A extends AnyStream, B extends AnyStream, C extends AnyStream, D extends Out>(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
    d: Fn<Given<C>, D>,
  ): Carry<this, D>
  override pipe<A extends AnyStream, B extends AnyStream, C extends AnyStream, D extends AnyStream, E extends Out>(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
    d: Fn<Given<C>, D>,
    e: Fn<Given<D>, E>,
  ): Carry<this, E>
  override pipe<
    A extends AnyStream,
    B extends AnyStream,
    C extends AnyStream,
    D extends AnyStream,
    E extends AnyStream,
    F extends Out,
  >(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
    d: Fn<Given<C>, D>,
    e: Fn<Given<D>, E>,
    f: Fn<Given<E>, F>,
  ): Carry<this, F>
  override pipe<
    A extends AnyStream,
    B extends AnyStream,
    C extends AnyStream,
    D extends AnyStream,
    E extends AnyStream,
    F extends AnyStream,
    G extends Out,
  >(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
    d: Fn<Given<C>, D>,
    e: Fn<Given<D>, E>,
    f: Fn<Given<E>, F>,
    g: Fn<Given<F>, G>,
  ): Carry<this, G>
  override pipe<
    A extends AnyStream,
    B extends AnyStream,
    C extends AnyStream,
    D extends AnyStream,
    E extends AnyStream,
    F extends AnyStream,
    G extends AnyStream,
    H extends Out,
  >(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
    d: Fn<Given<C>, D>,
    e: Fn<Given<D>, E>,
    f: Fn<Given<E>, F>,
    g: Fn<Given<F>, G>,
    h: Fn<Given<G>, H>,
  ): Carry<this, H>
  override pipe<
    A extends AnyStream,
    B extends AnyStream,
    C extends AnyStream,
    D extends AnyStream,
    E extends AnyStream,
    F extends AnyStream,
    G extends AnyStream,
    H extends AnyStream,
    I extends Out,
  >(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
    d: Fn<Given<C>, D>,
    e: Fn<Given<D>, E>,
    f: Fn<Given<E>, F>,
    g: Fn<Given<F>, G>,
    h: Fn<Given<G>, H>,
    i: Fn<Given<H>, I>,
  ): Carry<this, I>
  override pipe<
    A extends AnyStream,
    B extends AnyStream,
    C extends AnyStream,
    D extends AnyStream,
    E extends AnyStream,
    F extends AnyStream,
    G extends AnyStream,
    H extends AnyStream,
    I extends AnyStream,
    J extends Out,
  >(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
    d: Fn<Given<C>, D>,
    e: Fn<Given<D>, E>,
    f: Fn<Given<E>, F>,
    g: Fn<Given<F>, G>,
    h: Fn<Given<G>, H>,
    i: Fn<Given<H>, I>,
    j: Fn<Given<I>, J>,
  ): Carry<this, J>
  override pipe<
    A extends AnyStream,
    B extends AnyStream,
    C extends AnyStream,
    D extends AnyStream,
    E extends AnyStream,
    F extends AnyStream,
    G extends AnyStream,
    H extends AnyStream,
    I extends AnyStream,
    J extends AnyStream,
    K extends Out,
  >(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
    d: Fn<Given<C>, D>,
    e: Fn<Given<D>, E>,
    f: Fn<Given<E>, F>,
    g: Fn<Given<F>, G>,
    h: Fn<Given<G>, H>,
    i: Fn<Given<H>, I>,
    j: Fn<Given<I>, J>,
    k: Fn<Given<J>, K>,
  ): Carry<this, K>
  override pipe<
    A extends AnyStream,
    B extends AnyStream,
    C extends AnyStream,
    D extends AnyStream,
    E extends AnyStream,
    F extends AnyStream,
    G extends AnyStream,
    H extends AnyStream,
    I extends AnyStream,
    J extends AnyStream,
    K extends AnyStream,
    L extends Out,
  >(
    a: Fn<this, A>,
    b: Fn<Given<A>, B>,
    c: Fn<Given<B>, C>,
    d: Fn<Given<C>, D>,
    e: Fn<Given<D>, E>,
    f: Fn<Given<E>, F>,
    g: Fn<Given<F>, G>,
    h: Fn<Given<G>, H>,
    i: Fn<Given<H>, I>,
    j: Fn<Given<I>, J>,
    k: Fn<Given<J>, K>,
    l: Fn<Given<K>, L>,
  ): Carry<this, L>
  override pipe(...operators: Fn<any, any>[]): unknown {
    return operators.reduce<unknown>((source, operator) => operator(source), this)
  }
}

/** A stream whose records have keys: what `keyBy` gives, and the only thing that a keyed operator takes. */
export class KeyedStream<out T, out K extends Key> extends Stream<T> {
  declare protected readonly 'keyed: put keyBy(...) directly before this operator': K
}

/** A stream whose records go to every task: what `broadcast` gives, and what broadcast state is made of. */
export class BroadcastStream<out T> extends Stream<T> {
  declare protected readonly 'broadcast: put broadcast() directly before this operator': true
}

/** A stream and the sink that it goes into: what `run` runs. */
export class Pipeline {
  declare protected readonly 'a pipeline: it ends with into(sink)': true
  name: string
  readonly input: AnyStream
  readonly sink: Sink<any>

  /** @throws NOT_A_STREAM */
  constructor(input: AnyStream, sink: Sink<any>) {
    checkStream(input, `into(${sink.name})`)
    this.name = sink.name
    this.input = input
    this.sink = sink
  }
}

/**
 * Of a stream, or a pipeline, whose source cannot be read again: `run` must be told to accept loss. Known to the compiler alone, and
 * only along `pipe` and `side`: what several streams are made into (`union`) is not, so `run` checks the plan all the same.
 */
export interface AtMostOnce {
  readonly "at most once: name its source by run(..., { acceptLoss: ['...'] })": true
}

/** What an operator gives, at most once if it has been given such a stream. */
export type Carry<From, To> = From extends AtMostOnce ? To & AtMostOnce : To

export type AnyStream = Stream<any, any>
export type Out = AnyStream | Pipeline
export type Fn<A, B> = (source: A) => B
/**
 * What the operator before gives: inferred there first, so that an error stands at the operator that does not fit. (With
 * `NoInfer` nothing at all is inferred of `keyBy(...)` where a function that is not generic follows.)
 */
type Given<A> = A & {}

export interface StreamOptions {
  /** Tasks that read; default the job's. */
  readonly parallelism?: number
  /**
   * A split that has had nothing to read for so long is idle: it does not hold the watermark back, until it gives a record again.
   * One that the task has no room to read from is not. Default: never, and results do not depend on how fast splits are.
   */
  readonly idleAfterMs?: number
  /**
   * What it reads had come before, such as files that precede live records: until it has ended `checkpoints.backlogEveryMs` holds.
   * Default: as the source says (`SplitReader.inBacklog`); none of Spillway's says so by itself.
   */
  readonly backlog?: boolean
}

/**
 * A stream of what `source` reads. Splits are dealt to its tasks in turn: split i belongs to task i mod parallelism.
 * @throws INVALID_OPTION
 */
export function stream<T, P, S extends Sides = NoSides>(
  source: AtMostOnceSource<T, P, S>,
  options?: StreamOptions,
): Stream<T, S> & AtMostOnce
export function stream<T, P, S extends Sides = NoSides>(source: Source<T, P, S>, options?: StreamOptions): Stream<T, S>
export function stream<T, P, S extends Sides>(
  source: Source<T, P, S>,
  { parallelism, idleAfterMs, backlog }: StreamOptions = {},
): Stream<T, S> {
  const { name, sides = [] } = source
  checkParallelism(name, parallelism)
  if (idleAfterMs !== undefined) checkOption(name, 'idleAfterMs', idleAfterMs, { atLeast: 0 })
  return new Stream<T, S>(
    {
      ...{ name, inputs: [], stateful: true, sides, source: source as Source<T, P, any> },
      ...(parallelism === undefined ? {} : { parallelism }),
      ...(idleAfterMs === undefined ? {} : { idleAfterMs }),
      ...(backlog === undefined ? {} : { backlog }),
    },
    (task, node) => task.read(source as Source<T, P, any>, node),
  )
}

/** Gives the operator (or sink) that `apply` adds another name, where a job has two of one name. */
export const named =
  <A, B extends Out>(name: string, apply: Fn<A, B>): Fn<A, B> =>
  source => {
    const result = apply(source)
    const target: { name: string } = result instanceof Pipeline ? result : result.node
    target.name = name
    return result
  }

const freezeRecords = (element: StreamElement<unknown>): void => {
  if (element.kind === 'side') freezeRecords(element.buffer)
  if (element.kind === 'buffer') for (const record of element.records) frozen(record)
}

const checkStream = (input: unknown, place: string): void => {
  if (input instanceof Stream) return
  throw new SpillwayError('NOT_A_STREAM', {
    place,
    problem: 'its source is a plain Observable, as an RxJS operator in a pipe gives one.',
    remedy:
      'Use the operator of that name from spillway/operators; RxJS operators go inside eachRecord(...), or behind records$.',
  })
}

/** What the stream is of all that its operator emits: the main output, or one side; the rest is for both. */
const selected = (
  elements: Observable<StreamElement<unknown>>,
  { node, sideName }: AnyStream,
): Observable<StreamElement<unknown>> => {
  if ((node.lineage.sides ?? []).length === 0) return elements
  if (sideName === undefined) return elements.pipe(filter(element => element.kind !== 'side'))
  return elements.pipe(
    filter(element => (element.kind === 'side' ? element.name === sideName : element.kind !== 'buffer')),
    map((element): StreamElement<unknown> => (element.kind === 'side' ? (element.buffer as Buffer<unknown>) : element)),
  )
}
