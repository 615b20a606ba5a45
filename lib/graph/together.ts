import { Observable, Subscription } from 'rxjs'
import type { Task } from './task.ts'

/** Roots of a task that begin once all that is being subscribed to is. */
const waiting = new WeakMap<Task, (() => void)[]>()

/**
 * Subscribes to several streams of one task before anything that they read begins to emit: streams that share an operator
 * all get what it emits. Nested calls are part of the outermost.
 */
export const together = (task: Task, subscribe: () => void): void => {
  if (waiting.has(task)) return subscribe()
  const roots: (() => void)[] = []
  waiting.set(task, roots)
  try {
    subscribe()
  } finally {
    waiting.delete(task)
  }
  for (const begin of roots) begin()
}

/** What an operator without inputs emits in the task, held back while streams are subscribed to `together`. */
export const root = <T>(task: Task, elements: Observable<T>): Observable<T> =>
  new Observable(subscriber => {
    const roots = waiting.get(task)
    if (roots === undefined) return elements.subscribe(subscriber)
    const running = new Subscription()
    roots.push(() => {
      if (!running.closed) running.add(elements.subscribe(subscriber))
    })
    return running
  })
