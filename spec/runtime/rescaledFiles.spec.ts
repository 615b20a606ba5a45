import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as t from 'io-ts'
import { filter } from 'rxjs'
import { stream } from 'spillway'
import { fileStore, ndjsonFiles } from 'spillway/node'
import { eventTime, flatMap, fromArray, into, keyBy, scan } from 'spillway/operators'
import { expect, test } from 'vitest'
import { runIn } from '../run.ts'
import { stepped } from './restored.ts'

const Counted = t.type({ key: t.string, n: t.number })

test.each([
  { form: 'one queue', halves: false },
  { form: 'two halves', halves: true },
])(
  'stopped with full channels of $form and run again at parallelism 1, 3 and 2, the files hold each result once',
  async ({ halves }) => {
    const root = mkdtempSync(join(tmpdir(), 'spillway-rescaled-'))
    try {
      const pipeline = () =>
        stream(
          fromArray(
            Array.from({ length: 3_000 }, (_, n) => ({ key: `k${n % 7}`, n })),
            { splits: 4 },
          ),
        ).pipe(
          eventTime({ timeMs: ({ n }) => n, outOfOrderMs: 5 }),
          keyBy(({ key }) => key),
          scan((state: { key: string; n: number }, { key }) => ({ key, n: state.n + 1 }), { key: '', n: 0 }),
          flatMap(of => [of, of]),
          keyBy(({ key }) => key),
          flatMap(of => [of]),
          into(ndjsonFiles(join(root, 'out'), Counted)),
        )
      const inFlight: number[] = []
      for (const [i, parallelism] of [1, 3, 2].entries()) {
        let taken: Promise<unknown> | undefined
        const job = runIn(
          stepped(turn => {
            if (turn === 120 && i < 2) {
              taken = job.triggerCheckpoint({ alignment: 'unaligned' }).then(() => job.cancel())
            }
          }, halves),
          pipeline(),
          {
            parallelism,
            store: fileStore(join(root, 'store')),
            checks: true,
            // Deletions of a run that has been stopped would still be under way in the next.
            checkpoints: { retainedCount: 10 },
            channels: { buffersMax: 2, bufferRecordsMax: 4 },
          },
        )
        job.status$.pipe(filter(({ kind }) => kind === 'running')).subscribe(status => {
          if (status.kind === 'running') inFlight.push(status.resumedFrom?.recordsInFlight ?? 0)
        })
        await job.done.catch(error => {
          if (error.code !== 'CANCELLED') throw error
        })
        await taken
      }
      expect(inFlight).toHaveLength(3)
      expect(inFlight.slice(1).every(records => records > 0)).toBe(true)
      const lines = readdirSync(join(root, 'out'))
        .filter(name => !name.startsWith('.'))
        .flatMap(name =>
          readFileSync(join(root, 'out', name), 'utf8')
            .split('\n')
            .slice(0, -1),
        )
      const expected = Array.from({ length: 3_000 }, (_, n) => ({ key: `k${n % 7}`, n: 1 + Math.floor(n / 7) }))
      expect(lines.sort()).toEqual(expected.flatMap(of => [of, of].map(one => JSON.stringify(one))).sort())
    } finally {
      rmSync(root, { recursive: true })
    }
  },
)
