import type { Buffer } from '../../element.ts'
import { absurd } from '../../invariant.ts'
import { type Begun, type Frame, onlyItsTimer } from '../frame.ts'
import { ownerOfFirst, sharesOfBuffer } from './buffers.ts'
import type { DealtLines } from './lines.ts'
import { ofTheWholeTask } from './ofTheWholeTask.ts'
import { ownerOfGroup, type Spread } from './spread.ts'

/** A frame and the old task that had it. */
export interface OldFrame {
  readonly old: number
  readonly frame: Frame
}

/**
 * By new tasks: what was left to do in an operator, several old tasks' one after the other; undefined where nothing is.
 *
 * Whoever gets the first record of a frame, or the timer that is firing, skips what its call has delivered.
 * @throws PARALLELISM_CHANGED for what an end handler has still to give
 */
export const redistributedFrames = (
  frames: readonly OldFrame[],
  options: {
    readonly operator: string
    readonly watermarkMs: number
    readonly spread: Spread
    /** If its broadcast records are dealt by lines: behind what an old task had begun comes what its broadcast channels hold. */
    readonly lines?: DealtLines | undefined
  },
): readonly (Frame | undefined)[] => {
  const { before } = options.spread
  const shares = Array.from({ length: before }, (_, old) => [
    ...frames.filter(of => of.old === old).map(of => sharesOfFrame(of, options)),
    ...(options.lines?.inFlight(old) ?? []).map(begun => sharesOfBegun(begun, old, options)),
  ]).flat()
  return Array.from({ length: options.spread.after }, (_, task) => {
    const all = shares.flatMap(share => share[task] ?? [])
    // The calls under way first: what is due is looked for afterwards, and must not find their timers.
    const [first, ...more] = [...all.filter(isFiring), ...all.filter(begun => !isFiring(begun))]
    return first && { ...first, more, pending: [] }
  })
}

const isFiring = ({ work }: Begun): boolean => work.kind === 'watermark' && work.firing !== undefined

type Options = Parameters<typeof redistributedFrames>[1]
type Shares = readonly (readonly Begun[])[]

const sharesOfFrame = ({ old, frame }: OldFrame, options: Options): Shares => {
  const parts = [
    ...[frame, ...frame.more].map(begun => sharesOfBegun(begun, old, options)),
    ...frame.pending.flatMap(element =>
      element.kind === 'buffer' ? [sharesOfBegun(asBegun(element), old, options)] : [],
    ),
  ]
  return Array.from({ length: options.spread.after }, (_, task) => parts.flatMap(part => part[task] ?? []))
}

const sharesOfBegun = (begun: Begun, old: number, { operator, watermarkMs, spread, lines }: Options): Shares => {
  const { work, delivered } = begun
  switch (work.kind) {
    case 'records': {
      if (lines !== undefined && work.buffer.keys === undefined) return lines.sharesOf(begun, old)
      const first = ownerOfFirst(work.buffer, old, spread)
      const shares = sharesOfRecords(work.buffer, old, spread)
      return shares.map((share, task) => (task === first ? share.map(begun => ({ ...begun, delivered })) : share))
    }
    case 'watermark': {
      const { firing } = work
      // Finite, so that it is told from a call alone.
      const timeMs = Math.max(watermarkMs, -Number.MAX_VALUE)
      const advance = { work: { kind: 'watermark' as const, timeMs, firing: undefined }, delivered: 0 }
      const owner = firing && ownerOfGroup(firing.group, spread)
      return Array.from({ length: spread.after }, (_, task) =>
        task === owner ? [{ work: { ...advance.work, timeMs: onlyItsTimer, firing }, delivered }, advance] : [advance],
      )
    }
    case 'end':
      throw ofTheWholeTask(operator, 'what its end handler has still to give')
    default:
      return absurd(work)
  }
}

const sharesOfRecords = (of: Buffer<unknown>, old: number, spread: Spread): Shares =>
  sharesOfBuffer(of, old, spread).map(buffer => (buffer === undefined ? [] : [asBegun(buffer)]))

const asBegun = (buffer: Buffer<unknown>): Begun => ({ work: { kind: 'records', buffer, next: 0 }, delivered: 0 })
