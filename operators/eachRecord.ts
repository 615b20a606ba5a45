import { type Observable, type Observer, type OperatorFunction, of, type UnaryFunction } from 'rxjs'
import { operator, SpillwayError, type Stream, shown } from '../lib/index.ts'

/**
 * RxJS operators on each record by itself: each is an Observable of one, to which they are applied anew, so that nothing
 * is carried from one record to the next. Gives all that they emit, in order, with the record's time. Holds the results of
 * one record, and hands them on as `flatMap` does; so they must be the same again.
 * @throws EACH_RECORD_ASYNC if they do not complete at once
 */
export function eachRecord<A, B>(a: OperatorFunction<A, B>): (source: Stream<A, any>) => Stream<B>
export function eachRecord<A, B, C>(
  a: OperatorFunction<A, B>,
  b: OperatorFunction<B, C>,
): (source: Stream<A, any>) => Stream<C>
export function eachRecord<A, B, C, D>(
  a: OperatorFunction<A, B>,
  b: OperatorFunction<B, C>,
  c: OperatorFunction<C, D>,
): (source: Stream<A, any>) => Stream<D>
export function eachRecord<A, B, C, D, E>(
  a: OperatorFunction<A, B>,
  b: OperatorFunction<B, C>,
  c: OperatorFunction<C, D>,
  d: OperatorFunction<D, E>,
): (source: Stream<A, any>) => Stream<E>
export function eachRecord<A, B, C, D, E, F>(
  a: OperatorFunction<A, B>,
  b: OperatorFunction<B, C>,
  c: OperatorFunction<C, D>,
  d: OperatorFunction<D, E>,
  e: OperatorFunction<E, F>,
): (source: Stream<A, any>) => Stream<F>
export function eachRecord<A, B, C, D, E, F, G>(
  a: OperatorFunction<A, B>,
  b: OperatorFunction<B, C>,
  c: OperatorFunction<C, D>,
  d: OperatorFunction<D, E>,
  e: OperatorFunction<E, F>,
  f: OperatorFunction<F, G>,
): (source: Stream<A, any>) => Stream<G>
export function eachRecord(
  ...operators: readonly UnaryFunction<any, Observable<any>>[]
): (source: Stream<any, any>) => Stream<any> {
  return operator<unknown, unknown>(
    'eachRecord',
    ({ name }) => ({
      record(record) {
        const emitted = new Emitted()
        operators
          .reduce<Observable<unknown>>((source, apply) => apply(source), of(record))
          .subscribe(emitted)
          .unsubscribe()
        const { results, end } = emitted
        if (end === undefined) throw notSynchronous(name, record)
        if (end.kind === 'failed') throw end.error
        return results
      },
    }),
    { stateful: false },
  )
}

/** What is emitted for one record. */
class Emitted implements Observer<unknown> {
  readonly results: unknown[] = []
  end: { readonly kind: 'completed' } | { readonly kind: 'failed'; readonly error: unknown } | undefined

  next(result: unknown): void {
    this.results.push(result)
  }

  error(error: unknown): void {
    this.end = { kind: 'failed', error }
  }

  complete(): void {
    this.end = completed
  }
}

const completed = { kind: 'completed' } as const

const notSynchronous = (name: string, record: unknown) =>
  new SpillwayError('EACH_RECORD_ASYNC', {
    place: name,
    problem: `its operators did not complete at once on record ${shown(record)}.`,
    remedy:
      'Use operators that emit and complete synchronously; use asyncMap(f, { inFlightMax, ordered }) for asynchronous work.',
  })
