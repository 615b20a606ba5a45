import { Observable, type SchedulerLike } from 'rxjs'
import { type Alignment, barrier, buffer, end, type StreamElement } from '../../element.ts'
import { Stream } from '../../graph/stream.ts'
import { absurd } from '../../invariant.ts'
import type { DrawnLane, Mark } from './drawing.ts'
import { formOf } from './forms.ts'
import { type Legend, meaningOf } from './meaning.ts'
import { notationError } from './notationError.ts'

/** What a mark of an input lane brings. */
export interface Arrival {
  readonly frame: number
  readonly brings: (alignment: Alignment) => StreamElement<any> | 'failure'
}

/** @throws an error of notation, if a mark cannot arrive */
export const arrivalsOf = (
  { marks }: DrawnLane,
  { legend, triggeredMs }: { legend: Legend; triggeredMs: ReadonlyMap<number, number> },
): readonly Arrival[] => {
  const ended = marks.findIndex(({ mark }) => mark === '|' || mark === '#')
  const after = ended < 0 ? undefined : marks[ended + 1]
  if (after !== undefined) throw notationError('the lane has ended.', after.place)
  return marks.map(mark => ({ frame: mark.frame, brings: broughtBy(mark, legend, triggeredMs) }))
}

/** When each checkpoint is triggered: with the first barrier of it that stands in a lane. */
export const triggeredIn = (lanes: readonly DrawnLane[], legend: Legend): ReadonlyMap<number, number> => {
  const first = new Map<number, number>()
  for (const mark of lanes.flatMap(({ marks }) => marks)) {
    const checkpoint = checkpointOf(mark, legend)
    if (checkpoint !== undefined) first.set(checkpoint, Math.min(mark.frame, first.get(checkpoint) ?? mark.frame))
  }
  return first
}

/** A stream of what arrives, from its subscription on. `alignment` is that of barriers that name none. */
export const laneStream = <T>(
  arrivals: readonly Arrival[],
  options: { scheduler: SchedulerLike; alignment: () => Alignment; onSubscribed: () => void },
): Stream<T> =>
  new Stream<T>(
    { name: 'lane', inputs: [] },
    () =>
      new Observable(subscriber => {
        options.onSubscribed()
        for (const { frame, brings } of arrivals) {
          const arrive = () => {
            const brought = brings(options.alignment())
            if (brought === 'failure') return subscriber.error(new Error('The lane fails here (#).'))
            subscriber.next(brought)
            if (brought === end) subscriber.complete()
          }
          subscriber.add(options.scheduler.schedule(arrive, frame))
        }
      }),
  )

const broughtBy = (mark: Mark, legend: Legend, triggeredMs: ReadonlyMap<number, number>): Arrival['brings'] => {
  const meaning = meaningOf(mark, legend)
  switch (meaning.kind) {
    case 'record':
      return () => buffer([meaning.record])
    case 'element':
      return () => meaning.element
    case 'checkpoint': {
      const timestampMs = triggeredMs.get(meaning.checkpoint) ?? mark.frame
      return alignment => barrier(meaning.checkpoint, { alignment, timestampMs })
    }
    case 'words': {
      const { form: { element } = {}, groups = [] } = formOf(meaning.words) ?? {}
      if (element === undefined) {
        throw notationError(`\`${meaning.words}\` is what comes out of a task; a lane does not bring it.`, mark.place)
      }
      const timestampMs = triggeredMs.get(Number(groups[0])) ?? mark.frame
      return alignment => element(groups, { alignment, timestampMs })
    }
    case 'end':
      return () => end
    case 'error':
      return () => 'failure'
    default:
      return absurd(meaning)
  }
}

const checkpointOf = (mark: Mark, legend: Legend): number | undefined => {
  const meaning = meaningOf(mark, legend)
  if (meaning.kind === 'checkpoint') return meaning.checkpoint
  const [, checkpoint] = (meaning.kind === 'words' && /^barrier (\d+)/.exec(meaning.words)) || []
  return checkpoint === undefined ? undefined : Number(checkpoint)
}
