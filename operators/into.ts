import { Pipeline, type Sink, SpillwayError, Stream } from '../lib/index.ts'

/** Ends a pipeline in a sink: what `run` runs. */
export const into =
  <T>(sink: Sink<T, any>) =>
  (source: Stream<T, any>): Pipeline => {
    if (source instanceof Stream) return new Pipeline(source, sink)
    throw new SpillwayError('NOT_A_STREAM', {
      place: `into(${sink.name})`,
      problem: 'its source is a plain Observable, as an RxJS operator in a pipe gives one.',
      remedy: 'Use the operator of that name from spillway/operators, or put the RxJS operator inside eachRecord(...).',
    })
  }
