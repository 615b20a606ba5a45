import { Observable } from 'rxjs'
import { AsyncCalls, type AsyncCallsOptions, type AsyncFunction } from './asyncCalls.ts'
import { Stream } from './stream.ts'

/** An operator without state that calls an asynchronous function on each record. */
export const eachAsync =
  <A, B>(name: string, f: AsyncFunction<A, B>, options: AsyncCallsOptions): ((source: Stream<A, any>) => Stream<B>) =>
  source =>
    new Stream<B>(
      { name, inputs: [source] },
      (task, node) =>
        new Observable(subscriber => {
          const calls = new AsyncCalls<A, B>(task, node, task.open(node), f, options, subscriber)
          return source.in(task).subscribe({
            next: element => calls.next(element),
            error: error => subscriber.error(error),
            complete: () => calls.complete(),
          })
        }),
    )
