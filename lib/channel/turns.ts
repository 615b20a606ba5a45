import type { ChannelId } from './gate.ts'

/**
 * Some of a gate's channels, in the order in which they came: the first is next in its turn.
 *
 * A linked list in arrays: a change costs the same with two channels and with a thousand, and allocates nothing.
 */
export class Turns {
  readonly #next: Int32Array
  readonly #previous: Int32Array
  #first = none
  #last = none

  constructor(channels: number) {
    this.#next = new Int32Array(channels).fill(absent)
    this.#previous = new Int32Array(channels)
  }

  get first(): ChannelId | undefined {
    return this.#first === none ? undefined : this.#first
  }

  /** Behind all others, unless it is here already. */
  add(channel: ChannelId): void {
    if (this.#next[channel] !== absent) return
    this.#previous[channel] = this.#last
    this.#next[channel] = none
    if (this.#last === none) this.#first = channel
    else this.#next[this.#last] = channel
    this.#last = channel
  }

  remove(channel: ChannelId): void {
    const next = this.#next[channel] as number
    if (next === absent) return
    const previous = this.#previous[channel] as number
    if (previous === none) this.#first = next
    else this.#next[previous] = next
    if (next === none) this.#last = previous
    else this.#previous[next] = previous
    this.#next[channel] = absent
  }
}

const none = -1
const absent = -2
