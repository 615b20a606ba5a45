import * as t from 'io-ts'
import { of } from 'rxjs'
import { type ExchangeOptions, named, operator, type Pipeline, type Source, type Stream, stream } from 'spillway'
import {
  broadcast,
  collect,
  eventTime,
  global,
  into,
  keyBy,
  map,
  partition,
  rebalance,
  rescale,
  union,
} from 'spillway/operators'
import type { Rec, Timed } from './record.ts'
import { type Applied, keyedSteps, keyKinds, type Meant, plainSteps, type Step } from './steps.ts'
import type { SourceSpec, StageSpec, Topology } from './topology.ts'

/** A generated job and what it means. */
export interface Generated {
  readonly pipelines: readonly Pipeline[]
  /** By the sinks' names. */
  readonly expected: Readonly<Record<string, readonly Rec[]>>
  /** Sinks whose records are chained, by the order in which their keys' records came; `expected` has the records themselves. */
  readonly chained: readonly string[]
  readonly states: readonly (Meant['state'] & { readonly operator: string })[]
  /** Readers that have been opened and not been closed. */
  readonly open: () => number
}

/** One stream of the job, and the records that it will have. */
interface Line {
  readonly stream: Stream<Rec>
  readonly records: readonly Timed[]
  readonly timed: boolean
  readonly chained: boolean
  /** Of the stage that it comes from; 0: as many as the job says. */
  readonly tasks: number
}

export const generated = (topology: Topology, { parallelism }: { readonly parallelism: number }): Generated => {
  const lines: Line[] = []
  const states: (Meant['state'] & { operator: string })[] = []
  const read = new Set<Line>()
  const tapped = new Set<Line>()
  let open = 0

  topology.sources.forEach((spec, i) => {
    const records = recordsOf(spec, i)
    // The first has as many tasks as the job, so that another parallelism of the job is another job.
    const tasks = i === 0 ? 0 : spec.parallelism
    const plain = stream(source(`source${i}`, spec, { records, onOpen: n => (open += n) }), said(tasks))
    lines.push({
      stream: spec.timed
        ? plain.pipe(named(`eventTime${i}`, eventTime({ timeMs: ({ timeMs }: Rec) => timeMs, outOfOrderMs: 5 })))
        : plain,
      records: records.flatMap(split => (spec.timed ? withTimes(split) : split.map(untimed))),
      timed: spec.timed,
      chained: false,
      tasks,
    })
  })

  topology.stages.forEach((spec, i) => {
    const usable = lines.filter(({ chained }) => !chained)
    const inputs = [...new Set(spec.inputs.map(n => usable[n % usable.length] as Line))]
    for (const input of inputs) {
      read.add(input)
      if (spec.tapped) tapped.add(input)
    }
    lines.push(...stage(spec, i, { inputs, parallelism, states }))
  })

  const sunk = lines.filter(line => !read.has(line) || tapped.has(line))
  return {
    pipelines: sunk.map((line, i) => line.stream.pipe(named(`sink${i}`, into(collect<Rec>())))),
    expected: Object.fromEntries(sunk.map(({ records }, i) => [`sink${i}`, records.map(record => record.of)])),
    chained: sunk.flatMap(({ chained }, i) => (chained ? [`sink${i}`] : [])),
    states,
    open: () => open,
  }
}

const stage = (
  spec: StageSpec,
  number: number,
  context: {
    readonly inputs: readonly Line[]
    readonly parallelism: number
    readonly states: (Meant['state'] & { operator: string })[]
  },
): readonly Line[] => {
  const { inputs, parallelism, states } = context
  const before = inputs[0]?.tasks as number
  const { exchange, behind } = exchangeOf(spec, { inputs, before, parallelism })
  const options = { ...said(exchange.kind === 'forward' ? 0 : behind), alignedOnly: spec.alignedOnly }
  /** From input `i`: what comes of one split by two ways has no order between them. */
  const enter = (i: number) => (of: Rec) => ({
    ...of,
    id: `${of.id}/${number}`,
    trail: isKept(i) ? trailOf(of, exchange, `${number}.${i}`) : undefined,
  })
  /** Dealt in turns, the records of one task go to several; whether by a rescale may depend on the job's parallelism. */
  const isKept = (i: number) =>
    inputs[i]?.tasks === before && exchange.kind !== 'rebalance' && !(exchange.kind === 'rescale' && before !== behind)
  const sides: Line[] = []
  let line: Line = {
    stream: union(...inputs.map((input, i) => joinable(input, before).pipe(map(enter(i))))),
    records: inputs.flatMap(({ records }, i) => records.map(record => ({ ...record, of: enter(i)(record.of) }))),
    timed: inputs.every(({ timed }) => timed),
    chained: false,
    tasks: before,
  }
  /** False, and nothing is added, if its results would be too many. */
  const through = <S>(step: Step<S>, name: string, source: S): boolean => {
    const meant = step.plain(line.records, { name, parallelism: line.tasks || parallelism })
    if (meant.main.length > Math.max(resultsMax, line.records.length)) return false
    const applied: Applied = step.apply(source, name)
    if (meant.state !== undefined) states.push({ operator: name, ...meant.state })
    const timed = line.timed && step.losesTimes !== true
    if (applied.side !== undefined) {
      sides.push({ ...line, stream: applied.side, records: meant.side ?? [], timed, chained: false })
    }
    line = { ...line, stream: applied.main, records: meant.main, timed, chained: step.ordered === true }
    return true
  }
  if (exchange.kind !== 'forward' && exchange.kind !== 'keyed') {
    line = { ...line, stream: line.stream.pipe(exchanges[exchange.kind](options)), tasks: behind }
  }
  if (exchange.kind === 'broadcast') through(copies, `copies${number}`, line.stream)
  if (exchange.kind === 'keyed') {
    const keyOf = keyKinds[exchange.keys]
    const keyed = line.stream.pipe(keyBy(({ key }: Rec) => keyOf(key), options))
    line = { ...line, tasks: behind }
    const chosen: Step<typeof keyed> = keyedSteps[exchange.step]
    const isFit = chosen.timed !== true || line.timed
    const isThrough = isFit && through(chosen, `${exchange.step}${number}`, keyed)
    if (!isThrough) through<typeof keyed>(keyedSteps.met, `met${number}`, keyed)
  }
  for (const [i, name] of spec.steps.entries()) {
    // A side of the job is read from one place.
    if (line.chained || (name === 'sideways' && sides.length > 0)) continue
    through<Stream<Rec>>(plainSteps[name], `${name}${number}.${i}`, line.stream)
  }
  return [line, ...sides]
}

const said = (parallelism: number): { readonly parallelism?: number } => (parallelism === 0 ? {} : { parallelism })

/**
 * A broadcast that would give too many records is a global exchange instead. How many tasks are behind it is always said, and
 * where each tells of itself: otherwise a restart at another parallelism would make another job of it.
 */
const exchangeOf = (
  { exchange, parallelism }: StageSpec,
  of: { readonly inputs: readonly Line[]; readonly before: number; readonly parallelism: number },
): { readonly exchange: StageSpec['exchange']; readonly behind: number } => {
  if (exchange.kind === 'forward') return { exchange, behind: of.before }
  const records = of.inputs.reduce((sum, { records }) => sum + records.length, 0)
  if (exchange.kind === 'keyed') {
    return { exchange, behind: exchange.step === 'ruledInTasks' ? parallelism || of.parallelism : parallelism }
  }
  if (exchange.kind !== 'broadcast') return { exchange, behind: parallelism }
  const behind = parallelism || of.parallelism
  const isTooLarge = records * behind > resultsMax
  return isTooLarge ? { exchange: { kind: 'global' }, behind: parallelism } : { exchange, behind }
}

/** What comes from other numbers of tasks cannot be united but by an exchange. */
const joinable = (line: Line, tasks: number): Stream<Rec> =>
  line.tasks === tasks ? line.stream : line.stream.pipe(rebalance(said(tasks)))

const exchanges = {
  rebalance: options => rebalance(options),
  rescale: options => rescale(options),
  broadcast: options => broadcast(options),
  global: options => global(options),
  custom: options => partition(({ key }, channels) => key % channels, options),
} satisfies Record<string, (options: ExchangeOptions) => (source: Stream<Rec>) => Stream<Rec>>

/** Each task's copy of a broadcast record is told apart, also by its order. */
const copies: Step<Stream<Rec>> = {
  apply: (source, name) => ({
    main: source.pipe(
      named(
        name,
        operator<Rec, Rec>('copies', ({ subtask }) => ({ record: (of, out) => out.emit(copy(of, subtask.index)) }), {
          stateful: false,
        }),
      ),
    ),
  }),
  plain: (records, { parallelism }) => ({
    main: records.flatMap(record =>
      Array.from({ length: parallelism }, (_, i) => ({ ...record, of: copy(record.of, i) })),
    ),
  }),
}

const copy = (of: Rec, subtask: number): Rec => ({
  ...of,
  id: `${of.id}@${subtask}`,
  trail: of.trail === undefined ? undefined : `${of.trail}@${subtask}`,
})

/** Of one operator, unless it gets more. */
const resultsMax = 600

/** Records of one split that pass the same stages, with the same keys, keep their order; what deals in turns loses it. */
const trailOf = ({ trail, key }: Rec, exchange: StageSpec['exchange'], way: string): string | undefined => {
  if (trail === undefined) return undefined
  return `${trail}/${way}${exchange.kind === 'keyed' || exchange.kind === 'custom' ? `:${key}` : ''}`
}

/** By splits. Every seventh is late. */
const recordsOf = ({ splits, records }: SourceSpec, source: number): readonly (readonly Rec[])[] =>
  Array.from({ length: splits }, (_, i) =>
    Array.from({ length: Math.floor((records * (i + 1)) / splits) - Math.floor((records * i) / splits) }, (__, n) => ({
      id: `${source}.${i}.${n}`,
      split: `${source}.${i}`,
      n,
      key: (n * 5 + i) % 7,
      timeMs: 2 * n - (n % 7 === 6 ? 30 : (n * 3) % 4),
      place: [n],
      trail: '',
    })),
  )

const untimed = (record: Rec): Timed => ({
  of: record,
  timeMs: Number.NEGATIVE_INFINITY,
  noteMs: Number.NEGATIVE_INFINITY,
})

/** A record is late by its own split alone: behind the largest time so far, by more than 5 ms. */
const withTimes = (split: readonly Rec[]): readonly Timed[] => {
  let largestMs = Number.NEGATIVE_INFINITY
  return split.map(record => {
    largestMs = Math.max(largestMs, record.timeMs)
    const isLate = record.timeMs < largestMs - 5
    return { of: record, timeMs: record.timeMs, noteMs: isLate ? largestMs - 5 : Number.NEGATIVE_INFINITY }
  })
}

const source = (
  name: string,
  { waits }: SourceSpec,
  { records, onOpen }: { records: readonly (readonly Rec[])[]; onOpen: (change: 1 | -1) => void },
): Source<Rec, number> => ({
  name,
  position: t.number,
  splits: () => of(records.map((_, i) => `split${i}`)),
  open: (split, from = 0) => {
    const all = records[Number(split.slice(5))] as readonly Rec[]
    let at = from
    let asked = 0
    onOpen(1)
    return {
      next(recordsMax) {
        if (waits && ++asked % 5 === 0) return 'wait'
        if (at >= all.length) return 'end'
        const batch = all.slice(at, at + recordsMax)
        at += batch.length
        return batch
      },
      ready$: of(undefined),
      position: () => at,
      close: () => onOpen(-1),
    }
  },
})
