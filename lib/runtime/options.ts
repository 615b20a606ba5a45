import * as t from 'io-ts'
import { isObservable, type Observable } from 'rxjs'
import type { Guarantee } from '../alignment/alignment.ts'
import type { ChainLimits } from '../control/snapshotChains.ts'
import { global, type Policy } from '../coordination/policy.ts'
import { none, type RestartPolicy } from '../coordination/restarts.ts'
import type { Timetable, TriggerRequest } from '../coordination/timetable.ts'
import { decode } from '../decode.ts'
import type { Alignment, CheckpointId } from '../element.ts'
import { SpillwayError } from '../error.ts'
import { checkEncoding } from '../snapshot/checkRoundTrip.ts'
import type { Compression } from '../snapshot/compression.ts'
import { type Encoding, msgpackEncoding } from '../snapshot/encoding.ts'
import { defaultTasksPerFile } from '../snapshot/sharedFiles.ts'
import { defaultKeyGroups, keyGroupsMax } from '../state/keyGroups.ts'
import type { Store } from '../store/store.ts'

export interface RunOptions {
  /** Tasks a stage; default 1. */
  readonly parallelism?: number
  /**
   * Groups that keys are dealt in, so the most tasks behind a `keyBy`; default 128, at most 32,768. Stored with every checkpoint:
   * a job keeps the number that it began with.
   */
  readonly keyGroups?: number
  /** Where checkpoints live. Without one they live in memory: sinks are exact, but nothing survives the process. */
  readonly store?: Store
  /** What to go on from: each region's newest part in the store, the default; nothing, ids and epochs go on; a checkpoint by its id; a savepoint. */
  readonly restore?: 'latest' | 'none' | OlderCheckpoint | FromSavepoint
  /**
   * Whether tasks that have failed are started again, with those that channels join to them, from their newest part; the others go
   * on. Default `none()`: the job fails with its first task. What no repetition mends (FENCED, TRANSACTION_LOST, DAMAGED, ...) fails it always.
   */
  readonly restart?: RestartPolicy
  /** Names of the sources that cannot be read again, whose records may be lost in a crash; default none. */
  readonly acceptLoss?: readonly string[]
  /** Costly checks, such as freezing what operators emit and comparing what snapshots hold with what it was when captured; default false. */
  readonly checks?: boolean
  readonly checkpoints?: {
    /** Between two triggers; without it, or with Infinity, and without a schedule, checkpoints are only taken on request and at the end. */
    readonly everyMs?: number
    /**
     * Between two triggers while a source works off a backlog (`stream(source, { backlog: true })`, `SplitReader.inBacklog`); default: as
     * otherwise. Infinity: none then.
     */
    readonly backlogEveryMs?: number
    /**
     * Other times: `hourly()`, `cron(...)`, `timetable(...)`, or an Observable that asks, and whose error fails the job. Such a
     * checkpoint waits for the one under way, and for no pause; what comes while one waits is one with it. In a backlog too.
     */
    readonly schedule?: Timetable | Observable<TriggerRequest>
    /** A checkpoint that takes longer fails; default 10 minutes. */
    readonly timeoutMs?: number
    /** Default 'aligned'. With a timeout: aligned first, unaligned so long after the trigger. */
    readonly alignment?: Alignment
    /** Default 'exactly-once'. With 'at-least-once' no channel waits, and a restore may count records twice. */
    readonly guarantee?: Guarantee
    /** Completed checkpoints that are kept; default 1. */
    readonly retainedCount?: number
    /** Reports of checkpoints that `Job.checkpointHistory` has; default 10. Each has about 200 bytes a task. */
    readonly historyCount?: number
    /** A task's state, or its in-flight data, of up to so many bytes stands in the log itself, more in an object; default 20,480. */
    readonly inlineBytesMax?: number
    /** What turns records and state into bytes; default: MessagePack. A store is read by the encoding that it was written with. */
    readonly encoding?: Encoding
    /** What state and in-flight data are compressed with, such as `zlib()` of `spillway/node`; default: nothing. */
    readonly compression?: Compression
    /** Others that what the store has may have been compressed with: they are read, but not written. */
    readonly oldCompressions?: readonly Compression[]
    /**
     * Tasks at the most whose in-flight data is written as one object, each readable by itself; default 5. With 1 each task has its own.
     * No region waits for another: its file is written once it lacks nothing else.
     */
    readonly tasksPerFile?: number
    /**
     * Of state that is an object of its own only what has changed since the newest durable snapshot is written; default true. A restore
     * reads all that a snapshot builds on. false: each snapshot is whole.
     */
    readonly incremental?: boolean | IncrementalOption
    /** From a completion to the next trigger of the schedule; default 0. */
    readonly minPauseMs?: number
    /**
     * Checkpoints that may fail in a row (because a task, the store or the time failed them) before the job fails; default: any
     * number, a job that is useful without checkpoints goes on. Each failure is reported.
     */
    readonly tolerableFailures?: number
    /**
     * How long a sink may try to publish what a durable checkpoint contains before the job fails, and a restart tries again;
     * default 10 minutes.
     */
    readonly publishTimeoutMs?: number
    /** `global()`, the default: all tasks. `regional(...)`: each group of tasks that channels join by itself. */
    readonly policy?: Policy
  }
  readonly channels?: {
    /** Buffers from which on a channel is full; default 8. */
    readonly buffersMax?: number
    /** Records of a buffer; default 256. */
    readonly bufferRecordsMax?: number
    /** How long a partly filled buffer may wait while the job is busy; default 100. */
    readonly flushMs?: number
    /** Buffers of a task beyond its share for what cannot be suspended; default 5. */
    readonly overdraftBuffersMax?: number
    /** Buffers of all channels together, without overdraft; default 16,384, or what the tasks need at least. */
    readonly budgetBuffers?: number
    /** Buffers are kept so small that what is in flight takes a target time; default false. */
    readonly debloat?: boolean | DebloatOption
  }
}

/**
 * A completed checkpoint that the store still has. From then on what is newer is as if it had never been; it is deleted, and later
 * starts go on from here too.
 */
export interface OlderCheckpoint {
  readonly checkpoint: CheckpointId
  /** Sinks will publish again what they have published since; default false: then that is `WOULD_DUPLICATE`. */
  readonly acceptDuplicates?: boolean
  /**
   * The last resort for a checkpoint whose in-flight data is damaged: records that were in channels, or of calls that operators had
   * begun, are left out, and `JobStatus` says how many of which. Sources do not read them again; of a broadcast record some tasks may
   * have had their copy. Default false.
   */
  readonly withoutInFlightData?: boolean
}

export interface IncrementalOption {
  /** Snapshots in a row that hold only what has changed; default 32. */
  readonly deltasMax?: number
  /** Once they have so many of the whole one's bytes together, the next one is whole; default 200. */
  readonly bytesPercentMax?: number
}

/**
 * A savepoint, into these pipelines or changed ones: operators are found by their names. It is copied into the job's store first, so a
 * later start with the same option goes on from what the job has done since.
 */
export interface FromSavepoint {
  readonly savepoint: Store
  /**
   * Operators of the savepoint, or states of operators as `operator/state`, that the pipelines need not have; default none: their
   * state would be lost (STATE_WOULD_BE_DROPPED).
   */
  readonly allowDropped?: readonly string[]
  /** The store has checkpoints of its own, and sinks may publish again what these contain; default false: WOULD_DUPLICATE. */
  readonly acceptDuplicates?: boolean
}

export interface DebloatOption {
  /** What is in an input's channels is to take so long; default 1,000. */
  readonly targetMs?: number
  /** Between two measurements; default 200. */
  readonly periodMs?: number
  /** Of the moving average of sizes; default 20. */
  readonly samples?: number
  /** A change by less than this share of the size is not told to the channels; default 25. */
  readonly thresholdPercent?: number
  /** At most `bufferRecordsMax`; default 1. */
  readonly minBufferRecords?: number
}

export interface DebloatSettings {
  readonly targetMs: number
  readonly periodMs: number
  readonly samples: number
  readonly thresholdPercent: number
  readonly minSize: number
}

/** The options that a running job may be given anew (`Job.configure`); those left out stay. */
export interface ChangedOptions {
  readonly checkpoints?: Pick<
    NonNullable<RunOptions['checkpoints']>,
    | 'everyMs'
    | 'backlogEveryMs'
    | 'schedule'
    | 'timeoutMs'
    | 'alignment'
    | 'minPauseMs'
    | 'tolerableFailures'
    | 'policy'
  >
  readonly channels?: Pick<NonNullable<RunOptions['channels']>, 'debloat'>
}

/** The options with their defaults. */
export interface Settings {
  readonly parallelism: number
  readonly keyGroups: number
  readonly store: Store | undefined
  readonly restore: 'latest' | 'none' | OlderCheckpoint | FromSavepoint
  readonly restart: RestartPolicy
  readonly acceptLoss: readonly string[]
  readonly checks: boolean
  readonly checkpoints: {
    readonly everyMs: number | undefined
    readonly backlogEveryMs: number | undefined
    readonly schedule: Timetable | Observable<TriggerRequest> | undefined
    readonly timeoutMs: number
    readonly alignment: Alignment
    readonly guarantee: Guarantee
    readonly retainedCount: number
    readonly historyCount: number
    readonly inlineBytesMax: number
    readonly encoding: Encoding
    readonly compression: Compression | undefined
    readonly oldCompressions: readonly Compression[]
    readonly tasksPerFile: number
    readonly incremental: ChainLimits | undefined
    readonly minPauseMs: number
    readonly tolerableFailures: number
    readonly publishTimeoutMs: number
    readonly policy: Policy
  }
  readonly channels: {
    readonly buffersMax: number
    readonly bufferRecordsMax: number
    readonly flushMs: number
    readonly overdraftBuffersMax: number
    readonly budgetBuffers: number | undefined
    readonly debloat: DebloatSettings | undefined
  }
}

/**
 * @throws UNKNOWN_OPTION, INVALID_OPTION
 */
export const settings = (options: RunOptions): Settings => {
  refuseUnknown(options, optionsType, 'run options')
  const checked = decode(optionsType, options, {
    place: 'run options',
    remedy: 'The options and their defaults are listed at RunOptions.',
    code: 'INVALID_OPTION',
  }) as RunOptions
  const { checkpoints = {}, channels = {} } = checked
  const { bufferRecordsMax = 256 } = channels
  const debloat = debloatOf(channels.debloat)
  checkDebloat('run options', { debloat, bufferRecordsMax })
  return {
    parallelism: checked.parallelism ?? 1,
    keyGroups: checked.keyGroups ?? defaultKeyGroups,
    store: checked.store,
    restore: checked.restore ?? 'latest',
    restart: checked.restart ?? none(),
    acceptLoss: checked.acceptLoss ?? [],
    checks: checked.checks ?? false,
    checkpoints: {
      everyMs: checkpoints.everyMs,
      backlogEveryMs: checkpoints.backlogEveryMs,
      schedule: checkpoints.schedule,
      timeoutMs: checkpoints.timeoutMs ?? 600_000,
      alignment: alignmentOf(checkpoints),
      guarantee: checkpoints.guarantee ?? 'exactly-once',
      retainedCount: checkpoints.retainedCount ?? 1,
      // Source: Flink's web.checkpoints.history.
      historyCount: checkpoints.historyCount ?? 10,
      // Source: Flink's state.storage.fs.memory-threshold.
      inlineBytesMax: checkpoints.inlineBytesMax ?? 20_480,
      encoding: encodingOf(checkpoints.encoding),
      compression: checkpoints.compression,
      oldCompressions: checkpoints.oldCompressions ?? [],
      tasksPerFile: checkpoints.tasksPerFile ?? defaultTasksPerFile,
      incremental: incrementalOf(checkpoints.incremental),
      minPauseMs: checkpoints.minPauseMs ?? 0,
      tolerableFailures: checkpoints.tolerableFailures ?? Number.POSITIVE_INFINITY,
      publishTimeoutMs: checkpoints.publishTimeoutMs ?? 600_000,
      policy: checkpoints.policy ?? global(),
    },
    channels: {
      buffersMax: channels.buffersMax ?? 8,
      bufferRecordsMax,
      flushMs: channels.flushMs ?? 100,
      overdraftBuffersMax: channels.overdraftBuffersMax ?? 5,
      budgetBuffers: channels.budgetBuffers,
      debloat,
    },
  }
}

/**
 * The settings with these options changed.
 * @throws UNKNOWN_OPTION for one that cannot change while the job runs, INVALID_OPTION
 */
export const changed = (settings: Settings, options: ChangedOptions): Settings => {
  const place = 'configure'
  refuseUnknown(options, changedType, place)
  const remedy = 'What may change while a job runs is listed at ChangedOptions.'
  const { checkpoints, channels } = decode(changedType, options, {
    place,
    remedy,
    code: 'INVALID_OPTION',
  }) as ChangedOptions
  const debloat = channels?.debloat === undefined ? settings.channels.debloat : debloatOf(channels.debloat)
  const next = {
    ...settings,
    checkpoints: { ...settings.checkpoints, ...given(checkpoints) },
    channels: { ...settings.channels, debloat },
  }
  checkAlignment('configure.checkpoints', next.checkpoints)
  checkPolicy(settings.checkpoints.policy, next.checkpoints.policy)
  checkDebloat(place, next.channels)
  return next
}

/**
 * @throws INVALID_OPTION for an alignment that is none, and for one that overtakes data where nothing is captured
 */
export const checkAlignment = (place: string, options: { alignment: unknown; guarantee: Guarantee }): void => {
  const remedy = "Give 'aligned', 'unaligned' or { alignedTimeoutMs }."
  const checked = decode(alignment, options.alignment, { place: `${place}.alignment`, remedy, code: 'INVALID_OPTION' })
  if (options.guarantee === 'exactly-once' || checked === 'aligned') return
  throw new SpillwayError('INVALID_OPTION', {
    place: `${place}.alignment`,
    problem: "with the guarantee 'at-least-once' no barrier overtakes data.",
    remedy: "Leave the alignment 'aligned', or the guarantee 'exactly-once'.",
  })
}

const checkPolicy = ({ kind }: Policy, next: Policy): void => {
  if (next.kind === kind) return
  throw new SpillwayError('INVALID_OPTION', {
    place: 'configure.checkpoints.policy',
    problem: `the job runs with a ${kind} policy, and a ${next.kind} one has other regions.`,
    remedy: 'Start the job again with the other policy: it goes on from what is stored.',
  })
}

/** A least size above the largest would leave debloating without effect. */
const checkDebloat = (
  place: string,
  { debloat, bufferRecordsMax }: Pick<Settings['channels'], 'debloat' | 'bufferRecordsMax'>,
): void => {
  if (debloat === undefined || debloat.minSize <= bufferRecordsMax) return
  throw new SpillwayError('INVALID_OPTION', {
    place: `${place}.channels.debloat.minBufferRecords`,
    problem: `it is ${debloat.minSize}, but a buffer has ${bufferRecordsMax} records at the most.`,
    remedy: `Give at most ${bufferRecordsMax}, or raise channels.bufferRecordsMax.`,
  })
}

const alignmentOf = ({ alignment = 'aligned', guarantee = 'exactly-once' }: NonNullable<RunOptions['checkpoints']>) => {
  checkAlignment('run options.checkpoints', { alignment, guarantee })
  return alignment
}

/** Without what is undefined, which stays as it is. */
const given = (options: ChangedOptions['checkpoints'] = {}): NonNullable<ChangedOptions['checkpoints']> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

const encodingOf = (encoding: Encoding | undefined): Encoding => {
  if (encoding === undefined) return messagePack
  checkEncoding(encoding, 'run options.checkpoints.encoding')
  return encoding
}

const messagePack = msgpackEncoding()

/** Source: the defaults are Flink's, but the least size, which is 1/128 of the largest there. */
const debloatOf = (option: boolean | DebloatOption = false): DebloatSettings | undefined => {
  if (option === false) return undefined
  const {
    targetMs = 1_000,
    periodMs = 200,
    samples = 20,
    thresholdPercent = 25,
    minBufferRecords = 1,
  } = option === true ? {} : option
  return { targetMs, periodMs, samples, thresholdPercent, minSize: minBufferRecords }
}

/**
 * A whole snapshot each 33rd costs 3 % of its bytes a checkpoint, about what the changes themselves cost where this is worth while, and
 * a restore reads 33 objects. With twice as many bytes of changes as of the whole one, it reads at most three times as many.
 */
const incrementalOf = (option: boolean | IncrementalOption = true): ChainLimits | undefined => {
  if (option === false) return undefined
  const { deltasMax = 32, bytesPercentMax = 200 } = option === true ? {} : option
  return { deltasMax, bytesPercentMax }
}

export const debloatOption = ({ minSize, ...others }: DebloatSettings): DebloatOption => ({
  ...others,
  minBufferRecords: minSize,
})

/** io-ts ignores what its codec does not name; a misspelt option must not have no effect. */
const refuseUnknown = (options: object, { props }: t.PartialType<t.Props>, place: string): void => {
  for (const [name, value] of Object.entries(options)) {
    const option = Object.hasOwn(props, name) ? props[name] : undefined
    if (option === undefined) {
      throw new SpillwayError('UNKNOWN_OPTION', {
        place: `${place}.${name}`,
        problem: 'there is no such option.',
        remedy: `There are: ${Object.keys(props).join(', ')}.`,
      })
    }
    const inner = objectTypes.get(option) ?? option
    if (inner instanceof t.PartialType && typeof value === 'object' && value !== null) {
      refuseUnknown(value, inner, `${place}.${name}`)
    }
  }
}

/** What is taken as it is, if it is one: `name` says in errors what was expected. */
const typeOf = <A>(name: string, is: (u: unknown) => u is A): t.Type<A, A, unknown> =>
  new t.Type(name, is, (u, context) => (is(u) ? t.success(u) : t.failure(u, context)), t.identity)

const numberThat = (name: string, holds: (n: number) => boolean) =>
  typeOf(name, (u): u is number => typeof u === 'number' && holds(u))

const count = numberThat('a whole number of at least 1', n => Number.isSafeInteger(n) && n >= 1)
const keyGroups = numberThat(
  `a whole number from 1 to ${keyGroupsMax}`,
  n => Number.isSafeInteger(n) && n >= 1 && n <= keyGroupsMax,
)
const countOrNone = numberThat('a whole number of at least 0', n => Number.isSafeInteger(n) && n >= 0)
/** setTimeout takes no more. */
const duration = numberThat('a duration in ms above 0', n => n > 0 && n < 2 ** 31)
const durationOrNone = numberThat(
  'a duration in ms above 0, or Infinity',
  n => (n > 0 && n < 2 ** 31) || n === Number.POSITIVE_INFINITY,
)
const countOrAny = numberThat(
  'a whole number of at least 0, or Infinity',
  n => (Number.isSafeInteger(n) && n >= 0) || n === Number.POSITIVE_INFINITY,
)
const pause = numberThat('a duration in ms of at least 0', n => n >= 0 && n < 2 ** 31)
const isAlignment = (u: unknown): u is Alignment =>
  u === 'aligned' ||
  u === 'unaligned' ||
  (typeof u === 'object' &&
    u !== null &&
    Object.keys(u).length === 1 &&
    'alignedTimeoutMs' in u &&
    duration.is(u.alignedTimeoutMs))
const alignment = typeOf("'aligned', 'unaligned' or { alignedTimeoutMs: a duration in ms above 0 }", isAlignment)
const guarantee = t.keyof({ 'exactly-once': null, 'at-least-once': null })
const isStore = (u: unknown): u is Store => typeof u === 'object' && u !== null && 'append' in u && 'put' in u
const store = typeOf('a Store', isStore)

/** Its name stands in what it has written. */
const isNamed = (u: unknown, { functions }: { readonly functions: readonly string[] }): boolean =>
  typeof u === 'object' &&
  u !== null &&
  functions.every(name => typeof u[name as keyof typeof u] === 'function') &&
  'name' in u &&
  typeof u.name === 'string' &&
  u.name !== '' &&
  new TextEncoder().encode(u.name).length < 256
const isCompression = (u: unknown): u is Compression => isNamed(u, { functions: ['compress', 'decompress'] })
const isEncoding = (u: unknown): u is Encoding => isNamed(u, { functions: ['encode', 'decode'] })
const encoding = typeOf('an Encoding with a name of 1 to 255 bytes', isEncoding)
const compression = typeOf('a Compression with a name of 1 to 255 bytes, such as zlib()', isCompression)

const isPolicy = (u: unknown): u is Policy =>
  typeof u === 'object' && u !== null && 'regions' in u && 'outcome' in u && 'kind' in u
const policy = typeOf('global() or regional(...)', isPolicy)

const isRestart = (u: unknown): u is RestartPolicy =>
  typeof u === 'object' && u !== null && 'kind' in u && typeof u.kind === 'string' && restartKinds.has(u.kind)
const restartKinds: ReadonlySet<string> = new Set<RestartPolicy['kind']>([
  'none',
  'fixedDelay',
  'exponentialDelay',
  'failureRate',
])
const restart = typeOf('none(), fixedDelay(...), exponentialDelay(...) or failureRate(...)', isRestart)

const olderType = t.partial({ checkpoint: count, acceptDuplicates: t.boolean, withoutInFlightData: t.boolean })
const olderCheckpoint = t.intersection([t.type({ checkpoint: count }), olderType])
const fromSavepoint = t.intersection([
  t.type({ savepoint: store }),
  t.partial({ allowDropped: t.readonlyArray(t.string), acceptDuplicates: t.boolean }),
])

const restoreType = t.partial({ ...olderType.props, savepoint: store, allowDropped: t.readonlyArray(t.string) })
const restore = t.union([t.keyof({ latest: null, none: null }), olderCheckpoint, fromSavepoint])

const debloatType = t.partial({
  targetMs: duration,
  periodMs: duration,
  samples: count,
  thresholdPercent: countOrNone,
  minBufferRecords: count,
})
const debloat = t.union([t.boolean, debloatType])

const incrementalType = t.partial({ deltasMax: count, bytesPercentMax: count })
const incremental = t.union([t.boolean, incrementalType])

/** Of options that may also be something else than an object. */
const objectTypes: ReadonlyMap<t.Mixed, t.PartialType<t.Props>> = new Map<t.Mixed, t.PartialType<any>>([
  [debloat, debloatType],
  [incremental, incrementalType],
  [restore, restoreType],
])

const isSchedule = (u: unknown): u is Timetable | Observable<TriggerRequest> =>
  isObservable(u) || (typeof u === 'object' && u !== null && 'kind' in u && u.kind === 'timetable' && 'next' in u)
const schedule = typeOf('hourly(), cron(...), timetable(...) or an Observable', isSchedule)

const changeable = {
  everyMs: durationOrNone,
  backlogEveryMs: durationOrNone,
  schedule,
  timeoutMs: duration,
  alignment,
  minPauseMs: pause,
  tolerableFailures: countOrAny,
  policy,
}

const optionsType = t.partial({
  parallelism: count,
  keyGroups,
  store,
  restore,
  restart,
  acceptLoss: t.readonlyArray(t.string),
  checks: t.boolean,
  checkpoints: t.partial({
    ...changeable,
    guarantee,
    retainedCount: count,
    historyCount: countOrNone,
    inlineBytesMax: countOrNone,
    encoding,
    compression,
    oldCompressions: t.readonlyArray(compression),
    tasksPerFile: count,
    incremental,
    publishTimeoutMs: duration,
  }),
  channels: t.partial({
    buffersMax: count,
    bufferRecordsMax: count,
    flushMs: duration,
    overdraftBuffersMax: countOrNone,
    budgetBuffers: count,
    debloat,
  }),
})

const changedType = t.partial({
  checkpoints: t.partial(changeable),
  channels: t.partial({ debloat }),
})
