export type { Guarantee } from './alignment/alignment.ts'
export type { Announced, Captured, Gate, GateOrder, Taken } from './channel/gate.ts'
export { keyedWithBroadcast } from './control/keyedWithBroadcast.ts'
export { type FromInput, multiInput } from './control/multiInput.ts'
export type { CheckpointHistory, SummaryFigure } from './coordination/checkpointHistory.ts'
export { type Distribution, distribution } from './coordination/distribution.ts'
export type { CheckpointOrder, CoordinateEvent } from './coordination/events.ts'
export { global, type Policy, type RegionalLimits, regional } from './coordination/policy.ts'
export {
  type CheckpointReport,
  type StageReport,
  stageReports,
  type TaskFigure,
  type TaskReport,
} from './coordination/report.ts'
export {
  type ExponentialDelay,
  exponentialDelay,
  type FailureRate,
  type FixedDelay,
  failureRate,
  fixedDelay,
  none,
  type RestartPolicy,
} from './coordination/restarts.ts'
export {
  cron,
  hourly,
  type Timetable,
  type TimeZoneOption,
  type TriggerRequest,
  timetable,
} from './coordination/timetable.ts'
export {
  type Active,
  type Alignment,
  active,
  type Barrier,
  type Buffer,
  barrier,
  buffer,
  type Cancel,
  type CheckpointId,
  cancel,
  type End,
  end,
  type Idle,
  idle,
  type Key,
  pickRecords,
  type Side,
  type SplitId,
  type Splits,
  type StreamElement,
  side,
  splits,
  type Watermark,
  watermark,
  withRecords,
} from './element.ts'
export { type ErrorCode, messageOf, SpillwayError } from './error.ts'
export type { Aggregate } from './graph/aggregate.ts'
export type { AsyncCallsOptions, AsyncFunction } from './graph/asyncCalls.ts'
export { callEach, shown } from './graph/callEach.ts'
export type { Partitioner } from './graph/channelsOf.ts'
export { checkOption } from './graph/checkOption.ts'
export { eachAsync } from './graph/eachAsync.ts'
export { eachBuffer, perElement } from './graph/eachBuffer.ts'
export { type Exchange, type ExchangeOptions, exchangeLineage } from './graph/exchange.ts'
export type {
  AggregatingState,
  At,
  BroadcastContext,
  BroadcastHandlers,
  Handlers,
  KeyedAt,
  KeyedContext,
  KeyedHandlers,
  KeyedState,
  ListState,
  MapState,
  OperatorContext,
  Out,
  ReducingState,
  Results,
  Timers,
  UnionState,
  ValueState,
} from './graph/handlers.ts'
export { type Resumable, resumable } from './graph/handlers.ts'
export { type InPlaceOptions, inPlace, type Output } from './graph/inPlace.ts'
export { keyedOperator, operator } from './graph/operator.ts'
export type { SourceMetrics } from './graph/reading.ts'
export type { Cut, Sink, SinkTask, SinkWriter } from './graph/sink.ts'
export type { AtMostOnceSource, Source, SplitReader } from './graph/source.ts'
export {
  type AtMostOnce,
  BroadcastStream,
  type Carry,
  KeyedStream,
  type Lineage,
  type NoSides,
  named,
  Pipeline,
  type Sides,
  Stream,
  type StreamOptions,
  stream,
} from './graph/stream.ts'
export type { Awaiting, Rest, Subtask, Task } from './graph/task.ts'
export type { BufferBound } from './runtime/bufferBound.ts'
export type { InputMetrics } from './runtime/debloater.ts'
export { type ExplainedRegions, explainRegions } from './runtime/explainRegions.ts'
export type { JobEvent } from './runtime/jobEvents.ts'
export type {
  ChangedOptions,
  DebloatOption,
  FromSavepoint,
  IncrementalOption,
  OlderCheckpoint,
  RunOptions,
} from './runtime/options.ts'
export {
  type CheckpointData,
  type InFlight,
  type InFlightPlace,
  type InFlightRecord,
  type KeyedEntry,
  type ReadCheckpointOptions,
  readCheckpoint,
  type StoredOperator,
  type StoredTask,
  type TaskValue,
} from './runtime/readCheckpoint.ts'
export type { Stopped } from './runtime/requests.ts'
export type { PlannedState, RestorePlan } from './runtime/restorePlan.ts'
export {
  type Job,
  type JobStatus,
  planRestore,
  type ResumedFrom,
  run,
  type StopOptions,
  type Warning,
} from './runtime/run.ts'
export type { Savepoint } from './runtime/savepoint.ts'
export type { SinkMetrics } from './runtime/sinkOutput.ts'
export {
  type WriteOptions,
  type WrittenKeyed,
  type WrittenPositions,
  type WrittenState,
  writeCheckpoint,
} from './runtime/writeCheckpoint.ts'
export type { Compression } from './snapshot/compression.ts'
export type { Encoding } from './snapshot/encoding.ts'
export type { LeftOut } from './snapshot/withoutInFlight.ts'
export { groupOf } from './state/keyGroups.ts'
export { type Migration, type VersionedOptions, versioned } from './state/versioned.ts'
export { fromPromises } from './store/fromPromises.ts'
export { memoryStore } from './store/memoryStore.ts'
export type { Store } from './store/store.ts'
export { days, hours, minutes, seconds } from './time/duration.ts'
