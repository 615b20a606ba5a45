import { Observable } from 'rxjs'
import type { Buffer, StreamElement } from '../element.ts'
import { Stream } from './stream.ts'

/**
 * An operator without state that makes another buffer of each, or none; everything else passes. `project` gets the
 * operator's name for its errors. At most as many records may come out as go in: it cannot be suspended.
 */
export const eachBuffer =
  <A, B>(
    name: string,
    project: (buffer: Buffer<A>, name: string) => Buffer<B> | undefined,
  ): ((source: Stream<A, any>) => Stream<B>) =>
  source =>
    new Stream<B>({ name, inputs: [source] }, (task, node) =>
      perElement(source.in(task), (element, next) => {
        if (element.kind !== 'buffer') return next(element)
        const projected = project(element, node.name)
        if (projected !== undefined) next(projected)
      }),
    )

/** An RxJS operator over elements, whose errors become the stream's. */
export const perElement = <A, B>(
  source: Observable<StreamElement<A>>,
  take: (element: StreamElement<A>, next: (element: StreamElement<B>) => void) => void,
): Observable<StreamElement<B>> =>
  new Observable(subscriber => {
    const next = (element: StreamElement<B>) => subscriber.next(element)
    return source.subscribe({
      next: element => {
        try {
          take(element, next)
        } catch (error) {
          subscriber.error(error)
        }
      },
      error: error => subscriber.error(error),
      complete: () => subscriber.complete(),
    })
  })
