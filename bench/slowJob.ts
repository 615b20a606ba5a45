import * as t from 'io-ts'
import { EMPTY, of } from 'rxjs'
import { type Alignment, type Job, type RunOptions, run, type Source, type Store, stream } from 'spillway'
import { into, map, rebalance } from 'spillway/operators'
import { countingSink } from './countingSink.ts'

export interface SlowJob {
  readonly job: Job
  /** Of a whole buffer. */
  readonly bufferRecords: number
  /** Records read and not yet written. */
  readonly held: () => number
  readonly written: () => number
  /** When the last sink task to begin a checkpoint began it. */
  readonly lastBegunMs: () => number
  /** Its sinks take so many records/s together, and burn as much of the processor a record. */
  load(recordsPerSecond: number, burnMsPerRecord: number): void
}

export interface SlowJobOptions {
  readonly store: Store
  /** Of work in the channels, once they are full. */
  readonly backlogSeconds: number
  readonly burnMsPerRecord: number
  readonly alignment: Alignment
  /** How long the data in the channels should take at the most. */
  readonly debloatTargetMs?: number
}

/**
 * source(4) -> rebalance -> map(4) -> rebalance -> sink(4), whose sinks take 1,000 records/s together.
 *
 * Sources have as much as there is room for, so that the 32 channels are always as full as they get: 16 buffers each, whose size is
 * what makes them hold so many seconds.
 */
export const slowJob = (options: SlowJobOptions): SlowJob => {
  let read = 0
  let lastBegunMs = 0
  const sink = countingSink({
    recordsPerSecond: recordsPerSecond / parallelism,
    burnMsPerRecord: options.burnMsPerRecord,
    onCut: () => {
      lastBegunMs = performance.now()
    },
  })
  const events = numbered(records => {
    read += records
  })
  const pipeline = stream(events).pipe(
    rebalance(),
    map(({ id, text }) => ({ id, text })),
    rebalance(),
    into(sink),
  )
  const { debloatTargetMs } = options
  const channels = {
    buffersMax,
    bufferRecordsMax: bufferRecordsFor(options.backlogSeconds),
    ...(debloatTargetMs === undefined ? {} : { debloat: { targetMs: debloatTargetMs } }),
  }
  const runOptions: RunOptions = {
    parallelism,
    store: options.store,
    checkpoints: { alignment: options.alignment },
    channels,
  }
  return {
    job: run(pipeline, runOptions),
    bufferRecords: channels.bufferRecordsMax,
    held: () => read - sink.records,
    written: () => sink.records,
    lastBegunMs: () => lastBegunMs,
    load(recordsPerSecond, burnMsPerRecord) {
      sink.recordsPerSecond = recordsPerSecond / parallelism
      sink.burnMsPerRecord = burnMsPerRecord
    },
  }
}

export interface NumberedText {
  readonly id: number
  /** 100 characters. */
  readonly text: string
}

export const numberedText = (id: number): NumberedText => ({ id, text: String(id).padStart(100, 'x') })

const numbered = (onRead: (records: number) => void): Source<NumberedText, number> => ({
  name: 'numbered',
  position: t.number,
  splits: () => of(Array.from({ length: parallelism }, (_, i) => `${i}`)),
  open(split, from = 0) {
    let position = from
    return {
      next(recordsMax) {
        onRead(recordsMax)
        const first = position
        position += recordsMax
        return Array.from({ length: recordsMax }, (_, i) => numberedText((first + i) * parallelism + Number(split)))
      },
      ready$: EMPTY,
      position: () => position,
      close() {},
    }
  },
})

export const recordsPerSecond = 1_000
const parallelism = 4
const buffersMax = 16
/** Two exchanges. */
const channelCount = 2 * parallelism * parallelism

const bufferRecordsFor = (backlogSeconds: number): number =>
  Math.ceil((backlogSeconds * recordsPerSecond) / (channelCount * buffersMax))
