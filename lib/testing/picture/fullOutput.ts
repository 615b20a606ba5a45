import { type SchedulerLike, Subject } from 'rxjs'
import type { Output } from '../../graph/inPlace.ts'
import type { DrawnLane } from './drawing.ts'
import { notationError } from './notationError.ts'

/**
 * An output that is full where the lane has `~`, from before what arrives in that column.
 *
 * @throws an error of notation, if it has other marks
 */
export const fullOutput = ({ marks }: DrawnLane, scheduler: SchedulerLike): Output => {
  const wrong = marks.find(({ mark }) => mark !== '~')
  if (wrong !== undefined)
    throw notationError('an output is full where `~` stands, and free where `-` does.', wrong.place)
  const full = new Set(marks.map(({ frame }) => frame))
  const free$ = new Subject<void>()
  for (const frame of full) {
    if (!full.has(frame + 1)) scheduler.schedule(() => free$.next(), frame + 1)
  }
  return { mayGoOn: () => !full.has(scheduler.now()), free$ }
}
