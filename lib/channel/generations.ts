import * as t from 'io-ts'

/**
 * How a task works off in-flight data after a restore at another parallelism: a transition function, `(state, event) ->
 * [state, effects]`.
 *
 * Then records of one key may lie in several tasks: old ones where they were in flight, new ones where the new exchange leads.
 * So data passes in generations, numbered through the whole job from the oldest, 0: what was in flight deeper in the job is
 * older, and if recovered data of a former restore was among it, its generations come first of all. A task takes data of one
 * generation alone: its share of what was restored, and what its producers make of theirs. They send a marker (`recovered`)
 * behind each generation; sources, who have none, send all of them at once.
 *
 *   channel A:  a0 ^ a1 a1 ^ ^ n        n was never in flight
 *   channel B:  b0 b0 ^ ^ b2 ^ n
 *
 * - Nothing behind a marker is taken until all channels have delivered theirs: a1 waits for both b0.
 * - Once they have, and the task has done all that it has taken, it sends the marker itself, and takes what was restored of the
 *   next generation, in front of what has come.
 * - The last marker ends it: what follows was never in flight.
 *
 * So whatever comes of older data leaves a stage before what comes of newer data. Barriers that are unaligned pass; an aligned
 * one is begun by no source before its last marker, so each follows all markers.
 */
export interface Generations {
  /** Generations, and markers of each channel. */
  readonly count: number
  /** The one that the task is in; once it is `count`, the protocol is over. */
  readonly generation: number
  /** Markers delivered, by channel; a source has none. */
  readonly delivered: readonly number[]
}

export type GenerationEvent =
  /** The channel has delivered its next marker. */
  | { readonly kind: 'marker'; readonly channel: number }
  /** The task has passed to the next generation. */
  | { readonly kind: 'passed' }

export const initialGenerations = (count: number, channels: number): Generations => ({
  count,
  generation: 0,
  delivered: new Array<number>(channels).fill(0),
})

export const generations = (state: Generations, event: GenerationEvent): Generations => {
  if (event.kind === 'passed') return { ...state, generation: state.generation + 1 }
  const { delivered } = state
  return { ...state, delivered: delivered.with(event.channel, (delivered[event.channel] as number) + 1) }
}

/** All that there is of the generation has been taken. */
export const mayPass = ({ generation, delivered }: Generations): boolean =>
  delivered.every(markers => markers > generation)

/** Nothing of the channel but unaligned barriers is taken. */
export const isHeld = ({ generation, delivered }: Generations, channel: number): boolean =>
  (delivered[channel] as number) > generation

/** The task has sent its last marker. */
export const isOver = ({ count, generation }: Generations): boolean => generation === count

export const generationsType: t.Type<Generations, any> = t.type({
  count: t.number,
  generation: t.number,
  delivered: t.readonlyArray(t.number),
})
