import type { Observable, SchedulerLike } from 'rxjs'
import { inPlace } from '../../graph/inPlace.ts'
import { Stream } from '../../graph/stream.ts'
import { arrivalsOf, laneStream, triggeredIn } from './arrivals.ts'
import { CapturedData } from './captured.ts'
import { type Drawing, type DrawnLane, nameOf, type Row } from './drawing.ts'
import { Effects } from './effects.ts'
import type { Legend } from './meaning.ts'
import type { Lanes } from './names.ts'
import { notationError } from './notationError.ts'
import { type Received, Recorder } from './received.ts'
import { TaskLane } from './task.ts'
import { inVirtualTime } from './virtualTime.ts'
import { type OutputElement, orderInWords, wordsOf } from './words.ts'

/** What came of a picture's lanes. */
export interface Outcome {
  /** What the lane `out` stands for: all but `captured` and `aligned`. */
  readonly received: readonly Received[]
  readonly captured: () => readonly string[]
  readonly effects: (expected: readonly Row[]) => readonly string[]
  /** The lanes of the task's gate. */
  readonly channels: readonly string[]
}

export type Body = (lanes: Lanes) => Observable<OutputElement>

export const outcomeOf = (drawing: Drawing, { legend, body }: { legend: Legend; body: Body }): Outcome => {
  let watched: Outcome | undefined
  const unused = new Set(drawing.inputs)
  inVirtualTime(scheduler => {
    const { lanes, task } = inputsOf(drawing, { legend, scheduler, onUsed: lane => unused.delete(lane) })
    const output = body(lanes)
    watched = watch(output, { task, legend, scheduler })
    return { widthMs: drawing.width }
  })
  for (const { name, rows } of unused) {
    throw notationError(`the body does not use the lane \`${name}\`.`, nameOf(rows[0] as Row))
  }
  return watched as Outcome
}

const inputsOf = (
  { inputs }: Drawing,
  options: { legend: Legend; scheduler: SchedulerLike; onUsed: (lane: DrawnLane) => void },
): { lanes: Lanes; task: TaskLane | undefined } => {
  const { legend, scheduler, onUsed } = options
  const data = inputs.filter(({ name }) => name !== 'task')
  const drawnTask = inputs.find(({ name }) => name === 'task')
  const task = drawnTask && new TaskLane(drawnTask, { scheduler, onSubscribed: () => onUsed(drawnTask) })
  const triggeredMs = triggeredIn(data, legend)
  const lanes: Record<string, unknown> = { task }
  for (const lane of data) {
    lanes[lane.name] = laneStream(arrivalsOf(lane, { legend, triggeredMs }), {
      scheduler,
      // Asked when a barrier arrives, because `align` tells its gate when it is subscribed to.
      alignment: () => task?.gate?.alignment ?? 'aligned',
      onSubscribed: () => onUsed(lane),
    })
  }
  return { lanes: lanes as unknown as Lanes, task }
}

const watch = (
  output: Observable<OutputElement>,
  { task, legend, scheduler }: { task: TaskLane | undefined; legend: Legend; scheduler: SchedulerLike },
): Outcome => {
  const nowMs = () => scheduler.now()
  const channels = task?.gate?.lanes ?? []
  const recorder = new Recorder(nowMs)
  const captured = new CapturedData(channels, legend)
  const effects = new Effects(nowMs)
  if (task?.gate !== undefined) task.gate.onOrder = order => effects.add(orderInWords(order, channels))
  const elements = output instanceof Stream ? output.in(inPlace({ scheduler })) : output
  elements.subscribe({
    next: element => {
      if (element.kind === 'captured') return captured.add(element)
      if (element.kind === 'aligned') captured.whole(element.checkpoint)
      else recorder.next(element)
      if (element.kind === 'aborted') captured.drop(element.checkpoint)
      if (element.kind === 'begin' || element.kind === 'aligned' || element.kind === 'aborted') {
        effects.add(wordsOf(element))
      }
    },
    error: error => recorder.error(error),
    complete: () => recorder.complete(),
  })
  return {
    received: recorder.received,
    captured: () => captured.rows(),
    effects: expected => effects.rows(expected),
    channels,
  }
}
