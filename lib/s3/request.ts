import type { SchedulerLike } from 'rxjs'

/** Asks the client for one thing, with its own repetitions; rejects at the latest when the time is over. */
export type Request = <T>(signal: AbortSignal, ask: (how: { abortSignal: AbortSignal }) => Promise<T>) => Promise<T>

/**
 * Requests that end, whatever the client's own time-outs are: by default the SDK has none, and of one that it is given it only warns.
 * A server that has accepted a request and says nothing would hold up the log, and with it every later checkpoint.
 */
export const requesting =
  ({ timeoutMs, scheduler }: { readonly timeoutMs: number; readonly scheduler: SchedulerLike }): Request =>
  (signal, ask) => {
    const late = new AbortController()
    const limit = scheduler.schedule(
      () => late.abort(new Error(`there is no whole answer after ${timeoutMs} ms`)),
      timeoutMs,
    )
    const tooLate = new Promise<never>((_, reject) => {
      late.signal.addEventListener('abort', () => reject(late.signal.reason), { once: true })
    })
    const answered = ask({ abortSignal: AbortSignal.any([signal, late.signal]) })
    return Promise.race([answered, tooLate]).finally(() => limit.unsubscribe())
  }
