import { expect, test } from 'vitest'
import { sorted } from './exactlyOncePipelines.ts'
import { stoppedAndResumed, turnsOf } from './restored.ts'
import { unions } from './unions.ts'

for (const [name, { of, gives }] of Object.entries(unions)) {
  for (const parallelism of [1, 3]) {
    for (const alignment of ['aligned', 'unaligned'] as const) {
      test(`a union of ${name}, parallelism ${parallelism}: ${alignment} checkpoints are restored exactly once`, async () => {
        const options = { parallelism, checks: true, channels: { buffersMax: 2, bufferRecordsMax: 4 } }
        const undisturbed: unknown[] = []
        const turns = await turnsOf(of(undisturbed), options)
        expect(sorted(undisturbed)).toEqual(sorted(gives))
        let resumed = 0
        const step = Math.max(1, Math.floor(turns / 40))
        for (let turn = 1; turn <= turns; turn += step) {
          const records: unknown[] = []
          // One sink for both runs: it stands for the outside world.
          const pipelines = of(records)
          if (await stoppedAndResumed(() => pipelines, { ...options, turn, alignment })) resumed++
          expect(sorted(records), `stopped in turn ${turn}`).toEqual(sorted(gives))
        }
        expect(resumed).toBeGreaterThan(turns / step / 2)
      })
    }
  }
}
