import { TestScheduler } from 'rxjs/testing'

/**
 * Runs the body at frame 0 of virtual time, in which a frame is a millisecond, then all that is scheduled up to a while
 * behind the last column. RxJS's own schedulers are in it too.
 */
export const inVirtualTime = (body: (scheduler: TestScheduler) => { readonly widthMs: number }): void => {
  const scheduler = new TestScheduler(neverAsserts)
  scheduler.run(() => {
    const { widthMs } = body(scheduler)
    // A bound, because an interval would go on for ever.
    scheduler.maxFrames = widthMs + quietMs
  })
}

/** So long behind the last column nothing may come. */
const quietMs = 100

/** Its own expectations are not used. */
const neverAsserts = () => {}
