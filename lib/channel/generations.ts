import * as t from 'io-ts'

/**
 * How a task works off in-flight data after a restore at another parallelism: a transition function, `(state, event) ->
 * [state, effects]`.
 *
 * Then records of one key may lie in several tasks: old ones where they were in flight, new ones where the new exchange leads.
 * So data passes in generations. Each channel begins with what was restored into it and a marker (`recovered`) behind that;
 * behind it comes what the producers make of their own restored data, and their marker; and so on up to the sources, whose only
 * marker is the last one.
 *
 *   channel A:  a1 a2 ^ a3 ^ a4 ‖ a5        ^ a marker, ‖ the last one: what follows was never in flight
 *   channel B:  b1    ^ b2 b3 ^ ‖ b4
 *
 * - Nothing behind a marker is taken until all channels have delivered theirs: b2 waits for a2, and a3 for b1.
 * - Then the task sends a marker itself, the last one once all channels have delivered their last.
 * - A channel that has delivered its last marker, or has ended, is waited for no more.
 *
 * So whatever comes of older data leaves a stage before what comes of newer data. Markers a channel: the stages before it, plus one.
 * Barriers that are unaligned pass; an aligned one is begun by no source before its last marker, so each follows all markers.
 */
export type Generations = readonly ChannelGeneration[]

/**
 * By channel: `before` its marker · `behind` it, or `behindLast`: held until the others are · `over`: waited for no more.
 */
export type ChannelGeneration = 'before' | 'behind' | 'behindLast' | 'over'

export type GenerationEvent =
  | { readonly kind: 'marker'; readonly channel: number; readonly last: boolean }
  | { readonly kind: 'end'; readonly channel: number }

export type GenerationEffect =
  /** Of these channels data is taken again. */
  | { readonly kind: 'release'; readonly channels: readonly number[] }
  /** The task sends its marker. */
  | { readonly kind: 'send'; readonly last: boolean }

export const initialGenerations = (channels: number): Generations =>
  Array.from({ length: channels }, () => 'before' as const)

export const generations = (
  state: Generations,
  event: GenerationEvent,
): readonly [Generations, readonly GenerationEffect[]] => {
  const delivered = state.with(event.channel, deliveredBy(event))
  if (delivered.includes('before') || isOver(state)) return [delivered, []]
  const next = delivered.map(nextOf)
  const released = [...delivered.keys()].filter(channel => isHeld(delivered, channel))
  return [
    next,
    [
      { kind: 'release', channels: released },
      { kind: 'send', last: isOver(next) },
    ],
  ]
}

/** Nothing of the channel but unaligned barriers is taken. */
export const isHeld = (state: Generations, channel: number): boolean =>
  state[channel] === 'behind' || state[channel] === 'behindLast'

/** The task has sent its last marker: the protocol is over. */
export const isOver = (state: Generations): boolean => state.every(channel => channel === 'over')

export const generationsType: t.Type<Generations, any> = t.readonlyArray(
  t.union([t.literal('before'), t.literal('behind'), t.literal('behindLast'), t.literal('over')]),
)

const deliveredBy = (event: GenerationEvent): ChannelGeneration => {
  if (event.kind === 'end') return 'over'
  return event.last ? 'behindLast' : 'behind'
}

const nextOf = (channel: ChannelGeneration): ChannelGeneration => (channel === 'behind' ? 'before' : 'over')
