import { absurd } from '../../invariant.ts'
import { type Begun, type Frame, nothingBegun, onlyItsTimer } from '../frame.ts'
import { ownerOfFirst, sharesOfBuffer } from './buffers.ts'
import { asBegun, begunInFrame } from './generations.ts'
import type { DealtLines } from './lines.ts'
import { ofTheWholeTask } from './ofTheWholeTask.ts'
import { ownerOfGroup, type Spread } from './spread.ts'

/** A frame, the old task that had it, and the generation of recovered data that the task was in. */
export interface OldFrame {
  readonly old: number
  readonly generation: number
  readonly frame: Frame
}

/**
 * By new tasks: what was left to do in an operator, several old tasks' one after the other, by the generations in which it is to be
 * begun; undefined where nothing is.
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
  const { before, after, generations } = options.spread
  const shares = Array.from({ length: before }, (_, old) =>
    [
      ...frames
        .filter(of => of.old === old)
        .flatMap(({ frame, generation }) => begunInFrame(frame, generation))
        .map(([begun, generation]) => ({ ...begun, generation: generations.ofFrames(generation) })),
      ...(options.lines?.inFlight(old) ?? []).map(([begun, generation]) => ({
        ...begun,
        generation: generations.of(generation),
      })),
    ].map(begun => sharesOfBegun(begun, old, options)),
  ).flat()
  return Array.from({ length: after }, (_, task) => {
    const all = shares.flatMap(share => share[task] ?? [])
    const ordered = [...new Set(all.map(generationOf))]
      .sort((a, b) => a - b)
      .flatMap(generation => inOrder(all.filter(begun => generationOf(begun) === generation)))
    // What is to be begun at once says no generation.
    const [first, ...more] = ordered.map(of => (of.generation === 0 ? { ...of, generation: undefined } : of))
    if (first === undefined) return undefined
    return first.generation === undefined
      ? { ...first, more, pending: [] }
      : { ...nothingBegun, more: [first, ...more], pending: [] }
  })
}

const generationOf = ({ generation = 0 }: Begun): number => generation

/** The timers' calls under way first: what is due is looked for afterwards, and must not find their timers. */
const inOrder = (all: readonly Begun[]): readonly Begun[] => [
  ...all.filter(isFiring),
  ...all.filter(begun => !isFiring(begun)),
]

const isFiring = ({ work }: Begun): boolean => work.kind === 'watermark' && work.firing !== undefined

type Options = Parameters<typeof redistributedFrames>[1]
type Shares = readonly (readonly Begun[])[]

const sharesOfBegun = (begun: Begun, old: number, { operator, watermarkMs, spread, lines }: Options): Shares => {
  const { work, delivered, generation } = begun
  switch (work.kind) {
    case 'records': {
      if (lines !== undefined && work.buffer.keys === undefined) return lines.sharesOf(begun, old)
      const first = ownerOfFirst(work.buffer, old, spread)
      return sharesOfBuffer(work.buffer, old, spread).map((buffer, task) =>
        buffer === undefined ? [] : [{ ...asBegun(buffer), delivered: task === first ? delivered : 0, generation }],
      )
    }
    case 'watermark': {
      const { firing } = work
      // Finite, so that it is told from a call alone.
      const timeMs = Math.max(watermarkMs, -Number.MAX_VALUE)
      const advance = { work: { kind: 'watermark' as const, timeMs, firing: undefined }, delivered: 0, generation }
      const owner = firing && ownerOfGroup(firing.group, spread)
      return Array.from({ length: spread.after }, (_, task) =>
        task === owner
          ? [{ work: { ...advance.work, timeMs: onlyItsTimer, firing }, delivered, generation }, advance]
          : [advance],
      )
    }
    case 'end':
      throw ofTheWholeTask(operator, 'what its end handler has still to give')
    default:
      return absurd(work)
  }
}
