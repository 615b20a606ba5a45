/**
 * What a task knows of event time: the watermark of each of its channels, and the smallest of those that count.
 *
 * A step looks through all channels only when the last one that held the smallest watermark moves: with a thousand
 * channels that advance together, once for all of them.
 */
export class ChannelWatermarks {
  readonly #timesMs: Float64Array
  readonly #state: Uint8Array
  #combinedMs: number
  #idle: boolean
  /** Channels that count and have not got beyond `#smallestMs`, the smallest watermark of those that count. */
  #behind = 0
  #smallestMs = Number.NEGATIVE_INFINITY
  #open: number
  #openIdle = 0

  constructor(channels: number, restored?: CapturedWatermarks) {
    this.#timesMs = new Float64Array(channels).fill(Number.NEGATIVE_INFINITY)
    this.#state = new Uint8Array(channels)
    this.#open = channels
    restored?.channels.slice(0, channels).forEach(({ watermarkMs, idle }, channel) => {
      this.#timesMs[channel] = watermarkMs
      if (idle) {
        this.#state[channel] = idleFlag
        this.#openIdle++
      }
    })
    this.#combinedMs = restored?.combinedMs ?? Number.NEGATIVE_INFINITY
    this.#idle = this.#allIdle()
    this.#lookThrough()
  }

  /** The watermark that follows from it for the task, or undefined if that is no later than before. */
  advance(channel: number, timeMs: number): number | undefined {
    const beforeMs = this.#timesMs[channel] as number
    if (timeMs <= beforeMs) return undefined
    this.#timesMs[channel] = timeMs
    if (this.#state[channel] !== counting || beforeMs > this.#smallestMs) return undefined
    this.#behind--
    return this.#advanced()
  }

  /** What the task's own idleness becomes, or undefined if it stays. */
  setIdle(channel: number, idle: boolean): 'idle' | 'active' | undefined {
    if (this.#state[channel] !== (idle ? counting : idleFlag)) return undefined
    this.#state[channel] = idle ? idleFlag : counting
    this.#openIdle += idle ? 1 : -1
    if (idle) this.#countsNoMore(channel)
    else this.#lookThrough()
    return this.#ownIdleness()
  }

  /** An ended channel holds nothing back: the task is idle if all that are left are. Gives what `setIdle` gives. */
  end(channel: number): 'idle' | 'active' | undefined {
    const before = this.#state[channel] as number
    if ((before & endedFlag) !== 0) return undefined
    this.#state[channel] = before | endedFlag
    this.#open--
    if (before === idleFlag) this.#openIdle--
    else this.#countsNoMore(channel)
    return this.#ownIdleness()
  }

  /** The smallest watermark may have advanced because a channel has become idle, or has ended. */
  advanceWithoutIdle(): number | undefined {
    return this.#advanced()
  }

  isIdle(channel: number): boolean {
    return ((this.#state[channel] as number) & idleFlag) !== 0
  }

  /** Undefined: nothing is known yet, as in a job without event time. */
  capture(): CapturedWatermarks | undefined {
    if (this.#knowsNothing()) return undefined
    return {
      combinedMs: this.#combinedMs,
      channels: Array.from(this.#timesMs, (watermarkMs, channel) => ({
        watermarkMs,
        idle: this.isIdle(channel),
      })),
    }
  }

  #knowsNothing(): boolean {
    if (this.#combinedMs > Number.NEGATIVE_INFINITY) return false
    const { length } = this.#timesMs
    for (let channel = 0; channel < length; channel++) {
      if ((this.#timesMs[channel] as number) > Number.NEGATIVE_INFINITY || this.isIdle(channel)) return false
    }
    return true
  }

  #ownIdleness(): 'idle' | 'active' | undefined {
    const allIdle = this.#allIdle()
    if (allIdle === this.#idle) return undefined
    this.#idle = allIdle
    return allIdle ? 'idle' : 'active'
  }

  /** Of the channels that are left; with none left it stays as it is. */
  #allIdle(): boolean {
    return this.#open === 0 ? this.#idle : this.#openIdle === this.#open
  }

  #countsNoMore(channel: number): void {
    if ((this.#timesMs[channel] as number) <= this.#smallestMs) this.#behind--
  }

  #advanced(): number | undefined {
    if (this.#behind <= 0) this.#lookThrough()
    if (this.#open === this.#openIdle || this.#smallestMs <= this.#combinedMs) return undefined
    this.#combinedMs = this.#smallestMs
    return this.#smallestMs
  }

  #lookThrough(): void {
    let smallestMs = Number.POSITIVE_INFINITY
    let behind = 0
    const { length } = this.#timesMs
    for (let channel = 0; channel < length; channel++) {
      if (this.#state[channel] !== counting) continue
      const timeMs = this.#timesMs[channel] as number
      if (timeMs < smallestMs) {
        smallestMs = timeMs
        behind = 0
      }
      if (timeMs === smallestMs) behind++
    }
    this.#smallestMs = smallestMs
    this.#behind = behind
  }
}

export interface CapturedWatermarks {
  readonly combinedMs: number
  readonly channels: readonly { readonly watermarkMs: number; readonly idle: boolean }[]
}

/** The state of a channel that counts is 0. */
const counting = 0
const idleFlag = 1
const endedFlag = 2
