/**
 * The buffers of one writer: `(state, event) -> [state, answer]`.
 *
 * The pool counts the buffers that its channels hold, and the channels that hold as many as one may. What one channel holds
 * is the channel's own knowledge and comes with the event, so that an event costs the same with two channels and a thousand.
 * Source: Flink's LocalBufferPool, its overdraft included.
 */
export interface PoolState {
  /** Buffers that it holds without overdraft. */
  readonly size: number
  readonly overdraftMax: number
  /** From so many buffers of one channel on the pool is not available. */
  readonly perChannelMax: number
  /** Overdraft included. */
  readonly held: number
  readonly channelsAtLimit: number
}

export type PoolEvent =
  /** A channel that holds `channelHeld` buffers wants one more. */
  | { readonly kind: 'requested'; readonly channelHeld: number }
  /** A channel gives back one of its `channelHeld` buffers. */
  | { readonly kind: 'released'; readonly channelHeld: number }
  | { readonly kind: 'resized'; readonly size: number }

/** To a request; `overdraft`: granted beyond the size, for what cannot be suspended. */
export type PoolAnswer = 'granted' | 'overdraft' | 'refused' | undefined

export const initialPool = (options: { size: number; overdraftMax: number; perChannelMax: number }): PoolState => ({
  ...options,
  held: 0,
  channelsAtLimit: 0,
})

/** Whether its writer may begin another record. */
export const isAvailable = ({ held, size, channelsAtLimit }: PoolState): boolean => held < size && channelsAtLimit === 0

/** Buffers held beyond the size. */
export const overdraftOf = ({ held, size }: PoolState): number => Math.max(0, held - size)

export const pool = (state: PoolState, event: PoolEvent): readonly [PoolState, PoolAnswer] => {
  const { size, held, channelsAtLimit } = state
  switch (event.kind) {
    case 'requested':
      return requested(state, event.channelHeld)
    case 'released': {
      const atLimit = event.channelHeld === state.perChannelMax ? channelsAtLimit - 1 : channelsAtLimit
      return [changed(state, size, held - 1, atLimit), undefined]
    }
    case 'resized':
      return [changed(state, event.size, held, channelsAtLimit), undefined]
  }
}

/** Granted whatever the channel holds: its record has been begun. */
const requested = (state: PoolState, channelHeld: number): readonly [PoolState, PoolAnswer] => {
  const { size, overdraftMax, perChannelMax, held, channelsAtLimit } = state
  if (held - size >= overdraftMax) return [state, 'refused']
  const atLimit = channelHeld + 1 === perChannelMax ? channelsAtLimit + 1 : channelsAtLimit
  return [changed(state, size, held + 1, atLimit), held < size ? 'granted' : 'overdraft']
}

/** Once a buffer: spreading would cost ten times as much. */
const changed = (
  { overdraftMax, perChannelMax }: PoolState,
  size: number,
  held: number,
  channelsAtLimit: number,
): PoolState => ({ size, overdraftMax, perChannelMax, held, channelsAtLimit })
