import type { SchedulerLike } from 'rxjs'
import type { Buffer, StreamElement } from '../../element.ts'
import { inPlace, type Output } from '../../graph/inPlace.ts'
import type { Stream } from '../../graph/stream.ts'
import { arrivalsOf, laneStream, triggeredIn } from './arrivals.ts'
import { laneDifference } from './difference.ts'
import { type DrawnLane, type Row, readLane, readRows } from './drawing.ts'
import { type Expected, expectedOf } from './expected.ts'
import { failure, type Line } from './failure.ts'
import { fullOutput } from './fullOutput.ts'
import { legendOf } from './legend.ts'
import type { Legend } from './meaning.ts'
import { notationError } from './notationError.ts'
import { Recorder } from './received.ts'
import { inVirtualTime } from './virtualTime.ts'

/** What letters of a lane stand for: elements, or records. A letter without an entry is a record of that letter. */
export type Values = Readonly<Record<string, unknown>>

/** The records of a lane with these values: those among them, or else letters. */
export type RecordOf<V extends Values> = [RecordIn<V[keyof V]>] extends [never] ? string : RecordIn<V[keyof V]>

type RecordIn<Value> =
  Value extends Buffer<infer T> ? T : Value extends Exclude<StreamElement<never>, Buffer<never>> ? never : Value

export interface Marbles {
  /** A cold stream of what the lane shows, from its subscription on. */
  readonly lane: <const V extends Values = Record<never, never>>(text: string, values?: V) => Stream<RecordOf<V>>
  /** An output that is full where `~` stands, from before what arrives in that column. */
  readonly full: (text: string) => Output
  /** What comes of the stream in a task of its own, subscribed to at frame 0. */
  readonly expectLane: (stream: Stream<any, any>, output?: Output) => { toBe(text: string, values?: Values): void }
}

/**
 * Checks streams by lanes, each one string: `marbles(({ lane, expectLane }) => expectLane(lane('a-b|').pipe(...)).toBe('A-B|'))`.
 *
 * All of it runs in virtual time, in which a column is a millisecond, after the body.
 *
 * @throws an error whose text shows all lanes, what was expected and received, and the first difference
 */
export const marbles = (body: (marbles: Marbles) => void): void => {
  let scene: Scene | undefined
  inVirtualTime(scheduler => {
    scene = new Scene(scheduler)
    const returned: unknown = body(scene)
    if (returned instanceof Promise) {
      returned.catch(() => {})
      throw new Error('The body of marbles returned a promise, which leaves virtual time: nothing would be checked.')
    }
    return scene
  })
  scene?.check()
}

class Scene implements Marbles {
  readonly #scheduler: SchedulerLike
  readonly #lines: Line[] = []
  readonly #unused = new Set<DrawnLane>()
  readonly #expectations: Expectation[] = []

  constructor(scheduler: SchedulerLike) {
    this.#scheduler = scheduler
  }

  readonly lane: Marbles['lane'] = (text, values) => {
    const lane = this.#drawn('lane', text)
    const legend = legendOf(values ?? {})
    this.#unused.add(lane)
    return laneStream(arrivalsOf(lane, { legend, triggeredMs: triggeredIn([lane], legend) }), {
      scheduler: this.#scheduler,
      alignment: () => 'aligned',
      onSubscribed: () => this.#unused.delete(lane),
    })
  }

  readonly full: Marbles['full'] = text => fullOutput(this.#drawn('full', text), this.#scheduler)

  readonly expectLane: Marbles['expectLane'] = (stream, output) => {
    const recorder = new Recorder(() => this.#scheduler.now())
    const expectation: Expectation = { recorder, wanted: undefined }
    this.#expectations.push(expectation)
    const task = inPlace({ scheduler: this.#scheduler, ...(output === undefined ? {} : { output }) })
    stream.in(task).subscribe(recorder)
    return {
      toBe: (text, values = {}) => {
        const lane = readLane('expected', readRows(text))
        const legend = legendOf(values)
        expectation.wanted = { lane, legend, expected: expectedOf(lane, legend) }
      },
    }
  }

  /** Columns of the longest lane. */
  get widthMs(): number {
    const expected = this.#expectations.flatMap(({ wanted }) => wanted?.lane.rows ?? [])
    return Math.max(0, ...[...this.#lines, ...expected].map(({ text }) => text.length))
  }

  check(): void {
    for (const { rows } of this.#unused) throw notationError('nothing subscribes to the lane.', (rows[0] as Row).place)
    if (this.#expectations.length === 0) throw new Error('The body of marbles expects nothing: call expectLane.')
    for (const [i, { recorder, wanted }] of this.#expectations.entries()) {
      if (wanted === undefined) throw new Error('expectLane(...) expects nothing: call toBe(...) on it.')
      const difference = laneDifference(wanted.expected, recorder.received, wanted.legend)
      const what = this.#expectations.length === 1 ? 'The stream' : `Stream ${i + 1}`
      if (difference !== undefined) throw failure(what, { lines: this.#lines, difference, received: recorder.received })
    }
  }

  #drawn(name: string, text: string): DrawnLane {
    const lane = readLane(name, readRows(text))
    this.#lines.push(...lane.rows.map((row, i) => ({ name: i === 0 ? name : '&', text: row.text })))
    return lane
  }
}

interface Expectation {
  readonly recorder: Recorder
  wanted: { readonly lane: DrawnLane; readonly legend: Legend; readonly expected: readonly Expected[] } | undefined
}
