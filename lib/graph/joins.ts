import { absurd } from '../invariant.ts'
import type { Exchange } from './exchange.ts'

/** A producer and a consumer, and how many there are of each. */
export interface Ends {
  readonly from: number
  readonly to: number
  readonly producers: number
  readonly consumers: number
}

/**
 * Whether an exchange has a channel from this producer to this consumer.
 *
 * Rescale joins neighbours: with fewer producers each has a group of consumers, else each consumer has a group of producers;
 * groups differ by one at the most. Source: Flink's VertexInputInfoComputationUtils, pointwise.
 */
export const joins = (exchange: Exchange, { from, to, producers, consumers }: Ends): boolean => {
  switch (exchange) {
    case 'forward':
      return from === to
    case 'rescale':
      return producers < consumers
        ? from === Math.floor((to * producers) / consumers)
        : to === Math.ceil(((from + 1) * consumers) / producers) - 1
    case 'keyed':
    case 'rebalance':
    case 'broadcast':
    case 'global':
    case 'custom':
      return true
    default:
      return absurd(exchange)
  }
}
