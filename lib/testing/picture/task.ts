import { Observable, type SchedulerLike } from 'rxjs'
import type { Appetite } from '../../channel/gate.ts'
import type { DrawnLane } from './drawing.ts'
import type { LaneGate } from './gate.ts'
import { notationError } from './notationError.ts'

/**
 * The lane `task`: each `+` takes one element from the gate, each `~` one while the output is full, which is no data.
 * What arrives in the same column has arrived before.
 */
export class TaskLane {
  /** The gate that the task takes from. */
  gate: LaneGate<any> | undefined
  readonly takes$: Observable<Appetite['takes']>

  /** @throws an error of notation, if it has other marks */
  constructor(
    { marks }: DrawnLane,
    { scheduler, onSubscribed }: { scheduler: SchedulerLike; onSubscribed: () => void },
  ) {
    const takes = marks.map(({ frame, mark, place }) => {
      if (mark === '+') return { frame, appetite: 'all' } as const
      if (mark === '~') return { frame, appetite: 'no data' } as const
      throw notationError('a task takes by `+`, or by `~` while its output is full.', place)
    })
    this.takes$ = new Observable(subscriber => {
      onSubscribed()
      for (const { frame, appetite } of takes) {
        subscriber.add(scheduler.schedule(() => subscriber.next(appetite), frame))
      }
    })
  }
}
