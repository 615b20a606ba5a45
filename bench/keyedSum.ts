import { from, groupBy, mergeMap, scan as rxScan } from 'rxjs'
import { type RunOptions, run, type Source, stream } from 'spillway'
import { fromArray, into, keyBy, scan } from 'spillway/operators'
import type { Bench } from './bench.ts'
import { countingSink } from './countingSink.ts'
import { type KeyedRecord, keyedRecords } from './keyedRecords.ts'
import { interleaved, median, type Rounds, ratio, spread } from './measure.ts'
import { repeating } from './repeating.ts'
import { runOtherPipelines } from './runOtherPipelines.ts'
import { withFileStore } from './withFileStore.ts'

/**
 * A sum for each of 10,007 keys, given for each record: four tasks read, four sum, a checkpoint a second into files; against RxJS and
 * a loop, both without any checkpoint.
 */
export const keyedSum: Bench<'clean' | 'mixed' | 'checkpoints'> = {
  about: 'keyed sums: records/s against RxJS groupBy + scan and a loop; cost of checkpoints',
  parts: {
    clean: () => {
      const records = keyedRecords(recordCount, { keys })
      return interleaved(
        { spillway: () => bySpillway(records), rxjs: () => byRxjs(records), loop: () => byLoop(records) },
        { rounds, warmUps },
      )
    },

    mixed: async () => {
      await runOtherPipelines()
      const records = keyedRecords(recordCount, { keys })
      return interleaved({ spillway: () => bySpillway(records), rxjs: () => byRxjs(records) }, { rounds, warmUps })
    },

    checkpoints: () => {
      const records = keyedRecords(recordCount, { keys })
      const source = repeating(records, { splits: parallelism, times: repetitions })
      return interleaved(
        { on: () => bySpillway(records, { source }), off: () => bySpillway(records, { source, checkpoints: false }) },
        { rounds, warmUps },
      )
    },
  },

  async measure(part) {
    const clean: Rounds<'spillway' | 'rxjs' | 'loop'> = await part('clean')
    say('clean', clean)
    const mixed: Rounds<'spillway' | 'rxjs'> = await part('mixed')
    say('mixed', mixed)
    const checkpoints: Rounds<'on' | 'off'> = await part('checkpoints')
    say('checkpoints', checkpoints)
    const rxjsBest = Math.min(...clean.rxjs, ...mixed.rxjs)
    const figures = {
      ratioToRxjs: ratio({ of: clean.rxjs, to: clean.spillway }),
      ratioToRxjsMixed: rxjsBest / median(mixed.spillway),
      ratioToLoop: ratio({ of: clean.loop, to: clean.spillway }),
      checkpointCostPercent: 100 * (ratio({ of: checkpoints.on, to: checkpoints.off }) - 1),
    }
    console.log(`${figures.ratioToRxjs.toFixed(2)} times the records/s of RxJS (at least 3 wanted, 5 aimed at);`)
    console.log(`${(rxjsBest / median(clean.spillway)).toFixed(2)} times those of its best run;`)
    console.log(
      `${figures.ratioToRxjsMixed.toFixed(2)} times those of its best run after other pipelines (at least 2.5)`,
    )
    console.log(`${figures.ratioToLoop.toFixed(2)} times the records/s of a loop`)
    console.log(`checkpoints cost ${figures.checkpointCostPercent.toFixed(1)} % (at most 5)`)
    return figures
  },
}

/** Gives the number of results. */
export const bySpillway = async (
  records: readonly KeyedRecord[],
  {
    source = fromArray(records, { splits: parallelism }),
    checkpoints = true,
    debloat = false,
  }: { source?: Source<KeyedRecord>; checkpoints?: boolean; debloat?: boolean } = {},
): Promise<number> => {
  const sink = countingSink()
  const pipeline = stream(source).pipe(
    keyBy(record => record.key),
    scan((sum: number, record: KeyedRecord) => sum + record.value, 0),
    into(sink),
  )
  const options: RunOptions = { parallelism, channels: { debloat } }
  if (checkpoints) {
    await withFileStore(store => run(pipeline, { ...options, store, checkpoints: { everyMs: 1_000 } }).done)
  } else {
    await run(pipeline, options).done
  }
  return sink.records
}

const byRxjs = (records: readonly KeyedRecord[]): number => {
  let results = 0
  from(records)
    .pipe(
      groupBy(record => record.key),
      mergeMap(group => group.pipe(rxScan((sum, record) => sum + record.value, 0))),
    )
    .subscribe(() => {
      results++
    })
  return results
}

const byLoop = (records: readonly KeyedRecord[]): number => {
  const sums = new Map<string, number>()
  let results = 0
  for (let i = 0; i < records.length; i++) {
    const { key, value } = records[i] as KeyedRecord
    sums.set(key, (sums.get(key) ?? 0) + value)
    results++
  }
  return results
}

const say = (part: string, sides: Rounds<string>) => {
  for (const [side, ns] of Object.entries(sides))
    console.log(`${part.padEnd(12)}${side.padEnd(10)}${spread(ns)} ns a record`)
}

const recordCount = 3_000_000
const keys = 10_007
const parallelism = 4
const rounds = 9
const warmUps = 1
/** Of the records, so that several checkpoints fall into a run. */
const repetitions = 8
