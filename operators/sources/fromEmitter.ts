import { Observable } from 'rxjs'
import { SpillwayError } from '../../lib/index.ts'
import { type PushSource, pushSource } from './pushSource.ts'
import type { Pausable } from './readPushed.ts'

/**
 * What has listeners: a Node emitter, whose records are its first arguments, or an `EventTarget`, whose records are events.
 *
 * What is both is taken for an `EventTarget`, as by RxJS's `fromEvent`.
 */
export type Emitter = NodeEmitter | EventTargetLike

interface NodeEmitter {
  on(event: string, listener: (record: any) => void): unknown
  off(event: string, listener: (record: any) => void): unknown
}

interface EventTargetLike {
  addEventListener(event: string, listener: (record: any) => void): void
  removeEventListener(event: string, listener: (record: any) => void): void
}

type OnFull = 'error' | 'dropOldest' | 'dropNewest'

export interface FromEmitterOptions<F extends OnFull | 'pause'> {
  readonly name?: string
  /** The event whose argument is a record. */
  readonly event: string
  /** The event that ends the source; without one it never ends. */
  readonly endEvent?: string
  /** The event whose argument fails the task. */
  readonly errorEvent?: string
  /** As `fromObservable`'s; `pause` pauses the emitter until half of the room is free, so that nothing is dropped. */
  readonly onFull: F
  /** Records that may wait for the task: all the memory that the source takes. */
  readonly bufferRecordsMax: number
}

/**
 * Takes what an emitter emits, listening anew at each start, when the task first reads.
 *
 * At most once, as `fromObservable`. With `pause` it resumes the emitter when it begins to listen, and pauses it when it
 * stops, so that nothing is emitted between two starts; what waited is lost all the same. An emitter that has ended or
 * failed stays so at the next start.
 * @throws INVALID_OPTION; INPUT_OVERFLOW in the task with `onFull: 'error'`, and if a paused emitter emits without room
 */
export function fromEmitter<T>(
  emitter: Emitter & Pausable,
  options: FromEmitterOptions<OnFull | 'pause'>,
): PushSource<T>
export function fromEmitter<T>(emitter: Emitter, options: FromEmitterOptions<OnFull>): PushSource<T>
export function fromEmitter<T>(
  emitter: Emitter & Partial<Pausable>,
  options: FromEmitterOptions<OnFull | 'pause'>,
): PushSource<T> {
  const { name = 'fromEmitter', onFull, bufferRecordsMax } = options
  const reaction = reactionTo(onFull, { name, emitter })
  const emitted$ = listenedTo<T>(emitter, { ...options, ...(typeof reaction === 'object' && { pausable: reaction }) })
  return pushSource(emitted$, { name, onFull: reaction, bufferRecordsMax })
}

function reactionTo(
  onFull: OnFull | 'pause',
  { name, emitter }: { readonly name: string; readonly emitter: Partial<Pausable> },
): OnFull | Pausable {
  switch (onFull) {
    case 'error':
    case 'dropOldest':
    case 'dropNewest':
      return onFull
    case 'pause':
      if (isPausable(emitter)) return emitter
      break
  }
  throw new SpillwayError('INVALID_OPTION', {
    place: name,
    problem: `onFull is '${onFull}', but the emitter has no pause() and resume().`,
    remedy: "Give 'error', 'dropOldest' or 'dropNewest'.",
  })
}

const isPausable = (emitter: Partial<Pausable>): emitter is Pausable =>
  typeof emitter.pause === 'function' && typeof emitter.resume === 'function'

interface Listening {
  readonly event: string
  readonly endEvent?: string
  readonly errorEvent?: string
  readonly pausable?: Pausable
}

function listenedTo<T>(emitter: Emitter, { event, endEvent, errorEvent, pausable }: Listening): Observable<T> {
  // An emitter does not tell again that it has ended, to which a restarted task would listen for ever.
  let outcome: 'open' | 'ended' | { readonly error: unknown } = 'open'
  return new Observable<T>(subscriber => {
    if (outcome === 'ended') return subscriber.complete()
    if (typeof outcome === 'object') return subscriber.error(outcome.error)
    const listen = (to: string | undefined, listener: (argument: any) => void): void => {
      if (to !== undefined) subscriber.add(listenTo(emitter, to, listener))
    }
    listen(event, record => subscriber.next(record))
    listen(endEvent, () => {
      outcome = 'ended'
      subscriber.complete()
    })
    listen(errorEvent, error => {
      outcome = { error }
      subscriber.error(error)
    })
    if (pausable === undefined) return
    subscriber.add(() => pausable.pause())
    pausable.resume()
  })
}

function listenTo(emitter: Emitter, event: string, listener: (argument: any) => void): () => void {
  if ('addEventListener' in emitter) {
    emitter.addEventListener(event, listener)
    return () => emitter.removeEventListener(event, listener)
  }
  emitter.on(event, listener)
  return () => emitter.off(event, listener)
}
