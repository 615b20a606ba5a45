import type { Bench } from './bench.ts'
import { keyedRecords } from './keyedRecords.ts'
import { bySpillway } from './keyedSum.ts'
import { interleaved, type Rounds, ratio, spread } from './measure.ts'
import { repeating } from './repeating.ts'

/** What debloating costs a job at full speed, the keyed sums of `keyedSum.ts`: time with it against time without. */
export const debloat: Bench<'fullSpeed'> = {
  about: 'what debloating costs a job at full speed',
  parts: {
    fullSpeed: () => {
      const records = keyedRecords(recordCount, { keys })
      const source = repeating(records, { splits, times: repetitions })
      const side = (on: boolean) => () => bySpillway(records, { source, checkpoints: false, debloat: on })
      return interleaved({ on: side(true), off: side(false) }, { rounds, warmUps })
    },
  },

  async measure(part) {
    const fullSpeed: Rounds<'on' | 'off'> = await part('fullSpeed')
    for (const [side, ns] of Object.entries(fullSpeed)) console.log(`${side.padEnd(5)}${spread(ns)} ns a record`)
    const debloatCostPercent = 100 * (ratio({ of: fullSpeed.on, to: fullSpeed.off }) - 1)
    console.log(`debloating costs ${debloatCostPercent.toFixed(1)} % (at most 5)`)
    return { debloatCostPercent }
  },
}

const recordCount = 3_000_000
const keys = 10_007
const splits = 4
const rounds = 9
const warmUps = 1
/** Of the records, so that sizes are measured many times in a run. */
const repetitions = 4
