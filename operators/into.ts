import { Pipeline, type Sink, type Stream } from '../lib/index.ts'

/**
 * Ends a pipeline in a sink: what `run` runs.
 * @throws NOT_A_STREAM
 */
export const into =
  <T>(sink: Sink<T, any>) =>
  (source: Stream<T, any>): Pipeline =>
    new Pipeline(source, sink)
