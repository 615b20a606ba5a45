import { firstValueFrom, from as fromInput } from 'rxjs'
import { decode } from '../../decode.ts'
import type { SplitId } from '../../element.ts'
import { shown } from '../../graph/callEach.ts'
import type { Source } from '../../graph/source.ts'
import { checkEncodable, msgpackEncoding } from '../../snapshot/encoding.ts'
import { type Law, lawsOf } from './law.ts'
import { expectSame } from './same.ts'
import { type Read, SplitRun, type Stand } from './splitRun.ts'
import { until } from './until.ts'

export interface SourceLawsOptions {
  /** How many files, connections or the like the source holds: none once all readers are closed. */
  readonly held?: () => number
  /** How long `ready$` may take to emit, and a closed reader to free what it holds; default 5,000. */
  readonly waitMs?: number
}

/**
 * What every source keeps, tried by reading its splits from their beginnings and from all positions that readers report:
 * some tens of records are enough. `make` gives the source anew each time, as a restart does.
 */
export const sourceLaws = (
  name: string,
  make: () => Source<any, any, any> | Promise<Source<any, any, any>>,
  options: SourceLawsOptions = {},
): readonly Law[] => {
  const { held = () => 0, waitMs = 5_000 } = options
  return lawsOf(name, laws, async () => ({ make, source: await make(), held, waitMs }))
}

interface Subject {
  readonly make: () => Source<any, any, any> | Promise<Source<any, any, any>>
  readonly source: Source<any, any, any>
  readonly held: () => number
  readonly waitMs: number
}

const laws: Readonly<Record<string, (subject: Subject) => Promise<void>>> = {
  'its splits are the same each time they are asked for, and each is there once': async ({ source, make }) => {
    const expected = await splitsOf(source)
    expectSame(await splitsOf(source), { expected, where: 'asked again' })
    expectSame(await splitsOf(await make()), { expected, where: 'asked after a restart' })
    expectSame([...new Set(expected)], { expected, where: 'splits without doubles' })
  },

  'a split gives the same each time it is read, in batches of any size': async subject => {
    for (const split of await splitsOf(subject.source)) {
      const first = await whole(subject, split)
      for (const recordsMax of [1, 3, 1_000]) {
        const again = await new SplitRun(await subject.make(), split, { recordsMax, waitMs: subject.waitMs }).toEnd()
        expectRead(again, { expected: first, where: `split ${split} in batches of ${recordsMax}` })
      }
    }
  },

  'a split read from any position that a reader has reported gives the rest': async subject => {
    for (const split of await splitsOf(subject.source)) {
      const first = await whole(subject, split)
      for (const stand of first.stands) {
        const where = `split ${split} from position ${shown(stand.position)}`
        const rest = restOf(first, stand)
        const run = new SplitRun(await subject.make(), split, {
          from: stored(subject.source, stand),
          waitMs: subject.waitMs,
        })
        const [before] = run.stands
        expectRead(await run.toEnd(), { expected: rest, where })
        const from = stored(subject.source, before as Stand)
        const again = new SplitRun(await subject.make(), split, { from, waitMs: subject.waitMs })
        expectRead(await again.toEnd(), { expected: rest, where: `${where}, which it reports before it has read` })
      }
    }
  },

  'a position comes back as it was from its codec and the encoding': async subject => {
    for (const split of await splitsOf(subject.source)) {
      for (const stand of (await whole(subject, split)).stands) {
        const where = `split ${split}, position ${shown(stand.position)}`
        checkEncodable(subject.source.position.encode(stand.position), where)
        expectSame(stored(subject.source, stand), { expected: stand.position, where })
      }
    }
  },

  'next gives at most as many records as it is asked for, and none only beside records for side outputs':
    async subject => {
      for (const split of await splitsOf(subject.source)) {
        for (const recordsMax of [1, 2, 7]) {
          const run = new SplitRun(subject.source, split, { recordsMax, waitMs: subject.waitMs })
          await run.toEnd()
          run.batches.forEach(({ records, sides }, i) => {
            const where = `split ${split}, batch ${i + 1}: expected 1 to ${recordsMax} records, received ${records}`
            if (records > recordsMax || (records === 0 && sides === 0)) throw new Error(where)
          })
        }
      }
    },

  'a split that has ended stays at its end, also when it is read from there': async subject => {
    for (const split of await splitsOf(subject.source)) {
      const run = new SplitRun(subject.source, split, { waitMs: subject.waitMs })
      while (await run.next());
      const end = run.stands.at(-1) as Stand
      for (const again of [1, 2])
        expectSame(run.reader.next(2), { expected: 'end', where: `split ${split}, asked ${again} more` })
      expectSame(run.reader.position(), { expected: end.position, where: `split ${split}, position at its end` })
      run.reader.close()
      const from = stored(subject.source, end)
      const restored = await new SplitRun(await subject.make(), split, { from, waitMs: subject.waitMs }).toEnd()
      expectRead(restored, { expected: { records: [], sides: [] }, where: `split ${split}, from its end` })
    }
  },

  "after 'wait', ready$ emits": async subject => {
    // Each read waits for it, and fails if it does not emit.
    for (const split of await splitsOf(subject.source)) await whole(subject, split)
  },

  'readers of one split do not disturb each other': async subject => {
    for (const split of await splitsOf(subject.source)) {
      const expected = await whole(subject, split)
      const runs = [1, 2, 3].map(
        recordsMax => new SplitRun(subject.source, split, { recordsMax, waitMs: subject.waitMs }),
      )
      for (let left = runs; left.length > 0; ) {
        const more: SplitRun[] = []
        for (const run of left) {
          if (await run.next()) more.push(run)
          else run.reader.close()
        }
        left = more
      }
      runs.forEach((run, i) => {
        expectRead(run, { expected, where: `split ${split}, reader ${i + 1} of 3` })
      })
    }
  },

  'a closed reader holds nothing, whenever it is closed': async subject => {
    const { source, held, waitMs } = subject
    const free = (where: string) =>
      until(() => held() === 0, { waitMs, otherwise: () => `${where}: expected nothing held, received ${held()}` })
    for (const split of await splitsOf(source)) {
      const expected = await whole(subject, split)
      await free(`split ${split}, read to its end`)
      for (let batches = 0; batches < expected.stands.length; batches++) {
        const run = new SplitRun(source, split, { recordsMax: 1, waitMs })
        for (let i = 0; i < batches; i++) await run.next()
        // It may be waiting now.
        run.reader.next(1)
        run.reader.close()
        await free(`split ${split}, closed behind batch ${batches}`)
      }
      expectRead(await whole(subject, split), { expected, where: `split ${split}, read after others were closed` })
    }
  },
}

const splitsOf = (source: Source<any>): Promise<readonly SplitId[]> => firstValueFrom(fromInput(source.splits()))

const whole = ({ source, waitMs }: Subject, split: SplitId): Promise<Read> =>
  new SplitRun(source, split, { recordsMax: 1, waitMs }).toEnd()

const restOf = ({ records, sides }: Read, from: Stand): Pick<Read, 'records' | 'sides'> => ({
  records: records.slice(from.records),
  sides: sides.slice(from.sides),
})

const expectRead = (
  received: Pick<Read, 'records' | 'sides'>,
  { expected, where }: { readonly expected: Pick<Read, 'records' | 'sides'>; readonly where: string },
): void => {
  expectSame(received.records, { expected: expected.records, where: `${where}, records` })
  expectSame(received.sides, { expected: expected.sides, where: `${where}, records for side outputs` })
}

/** A position as a restore hands it back. */
const stored = ({ name, position }: Source<any>, stand: Stand): unknown => {
  const encoding = msgpackEncoding()
  const bytes = encoding.encode(position.encode(stand.position), name)
  return decode(position, encoding.decode(bytes), { place: name, remedy: 'Mend its codec.', code: 'STATE_NOT_MATCHED' })
}
