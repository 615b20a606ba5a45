import { Observable } from 'rxjs'
import type { Process } from './process.ts'

/**
 * A call to something outside the process: takes effect some time after it is subscribed to and answers later, both within
 * `waitMs`. When the process has died before, or has unsubscribed, it takes effect all the same or not at all.
 */
export const remotely = <T>(process: Process, waitMs: number, effect: () => T): Observable<T> => {
  const { world, scheduler } = process
  const { random } = world
  return new Observable<T>(subscriber => {
    const takesEffectUnheard = random.chance(0.5)
    let waiting = true
    let answer = () => {}
    world.schedule(() => {
      const heard = waiting && process.alive
      if (!heard) {
        if (!takesEffectUnheard) return
        world.tookEffectUnheard()
      }
      try {
        const value = effect()
        answer = () => {
          subscriber.next(value)
          subscriber.complete()
        }
      } catch (error) {
        answer = () => subscriber.error(error)
      }
    }, random.next() * waitMs)
    const answered = scheduler.schedule(() => answer(), waitMs)
    return () => {
      waiting = false
      answered.unsubscribe()
    }
  })
}
