import { absurd } from '../invariant.ts'
import type { Exchange } from './exchange.ts'

/** A producer, and how many there are on either side. */
export interface ProducerEnd {
  readonly from: number
  readonly producers: number
  readonly consumers: number
}

/** Numbers from `first` up to `end`, which is not among them. */
export interface Range {
  readonly first: number
  readonly end: number
}

/**
 * The consumers that an exchange joins to a producer.
 *
 * Rescale joins neighbours: with fewer producers each has a group of consumers, else each consumer has a group of producers;
 * groups differ by one at the most. Source: Flink's VertexInputInfoComputationUtils, pointwise.
 */
export const consumersOf = (exchange: Exchange, { from, producers, consumers }: ProducerEnd): Range => {
  switch (exchange) {
    case 'forward':
      return { first: from, end: from + 1 }
    case 'rescale': {
      const end = Math.ceil(((from + 1) * consumers) / producers)
      return { first: producers < consumers ? Math.ceil((from * consumers) / producers) : end - 1, end }
    }
    case 'keyed':
    case 'rebalance':
    case 'broadcast':
    case 'global':
    case 'custom':
      return { first: 0, end: consumers }
    default:
      return absurd(exchange)
  }
}

/** Whether an exchange has a channel from this producer to this consumer. */
export const joins = (exchange: Exchange, { to, ...producer }: ProducerEnd & { readonly to: number }): boolean => {
  const { first, end } = consumersOf(exchange, producer)
  return first <= to && to < end
}
