/** The piece to copy: how late an airport's landings are so far, as a program keeps it, and as its next version does. */
import * as t from 'io-ts'
import { keyedOperator, named, type Pipeline, type Sink, type Source, stream, versioned } from 'spillway'
import { into, keyBy, rebalance } from 'spillway/operators'
import type { Landing } from '../hours/pipeline.ts'

export interface Lateness {
  readonly airport: string
  readonly meanDelayMin: number
}

/** The morning's: what is kept of an airport is a sum. */
export const Sum = t.type({ landings: t.number, delayMin: t.number })

const sums = keyedOperator<Landing, string, Lateness>('lateness', ({ state }) => {
  const sum = state.value('sum', Sum, { landings: 0, delayMin: 0 })
  return {
    record(landing, out, { key }) {
      const { landings, delayMin } = sum.update(of => ({
        landings: of.landings + 1,
        delayMin: of.delayMin + landing.delayMin,
      }))
      out.emit({ airport: key, meanDelayMin: delayMin / landings })
    },
  }
})

export const morning = (landings: Source<Landing>, sink: Sink<Lateness>): Pipeline =>
  stream(landings, { parallelism: 2 }).pipe(
    keyBy(landing => landing.destination),
    sums,
    named('out', into(sink)),
  )

/** The afternoon's: a mean is kept instead, which the sum of before becomes as it is read. */
export const Mean = versioned({
  version: 2,
  codec: t.type({ landings: t.number, meanDelayMin: t.number }),
  migrations: {
    1: {
      codec: Sum,
      migrate: ({ landings, delayMin }: t.TypeOf<typeof Sum>) => ({ landings, meanDelayMin: delayMin / landings }),
    },
  },
})

const means = keyedOperator<Landing, string, Lateness>('lateness', ({ state }) => {
  const mean = state.value('sum', Mean, { landings: 0, meanDelayMin: 0 })
  return {
    record(landing, out, { key }) {
      const { meanDelayMin } = mean.update(of => ({
        landings: of.landings + 1,
        meanDelayMin: of.meanDelayMin + (landing.delayMin - of.meanDelayMin) / (of.landings + 1),
      }))
      out.emit({ airport: key, meanDelayMin })
    },
  }
})

/** How often an airport has been said to be late, which nobody has counted in the morning. */
const timesLate = keyedOperator<Lateness, string, Lateness>('timesLate', ({ state }) => {
  const times = state.value('times', t.number, 0)
  return {
    record(lateness, out) {
      if (lateness.meanDelayMin > 15) times.update(n => n + 1)
      out.emit(lateness)
    },
  }
})

export const afternoon = (landings: Source<Landing>, sink: Sink<Lateness>): Pipeline =>
  stream(landings, { parallelism: 2 }).pipe(
    rebalance(),
    keyBy(landing => landing.destination),
    means,
    keyBy(lateness => lateness.airport),
    timesLate,
    named('out', into(sink)),
  )
