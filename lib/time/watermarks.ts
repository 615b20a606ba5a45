/** What a task knows of event time: the watermark of each of its channels, and the smallest of those that count. */
export class ChannelWatermarks {
  readonly #channels: ChannelTime[]
  #combinedMs = Number.NEGATIVE_INFINITY
  #idle = false

  constructor(channels: number, restored?: CapturedWatermarks) {
    this.#channels = Array.from({ length: channels }, (_, channel) => ({
      watermarkMs: restored?.channels[channel]?.watermarkMs ?? Number.NEGATIVE_INFINITY,
      idle: restored?.channels[channel]?.idle ?? false,
      ended: false,
    }))
    this.#combinedMs = restored?.combinedMs ?? Number.NEGATIVE_INFINITY
    this.#idle = this.#allIdle()
  }

  /** The watermark that follows from it for the task, or undefined if that is no later than before. */
  advance(channel: number, timeMs: number): number | undefined {
    const time = this.#of(channel)
    time.watermarkMs = Math.max(time.watermarkMs, timeMs)
    return this.#advanced()
  }

  /** What the task's own idleness becomes, or undefined if it stays. */
  setIdle(channel: number, idle: boolean): 'idle' | 'active' | undefined {
    this.#of(channel).idle = idle
    return this.#ownIdleness()
  }

  /** An ended channel holds nothing back: the task is idle if all that are left are. Gives what `setIdle` gives. */
  end(channel: number): 'idle' | 'active' | undefined {
    this.#of(channel).ended = true
    return this.#ownIdleness()
  }

  /** The smallest watermark may have advanced because a channel has become idle, or has ended. */
  advanceWithoutIdle(): number | undefined {
    return this.#advanced()
  }

  isIdle(channel: number): boolean {
    return this.#of(channel).idle
  }

  capture(): CapturedWatermarks {
    return {
      combinedMs: this.#combinedMs,
      channels: this.#channels.map(({ watermarkMs, idle }) => ({ watermarkMs, idle })),
    }
  }

  #of(channel: number): ChannelTime {
    return this.#channels[channel] as ChannelTime
  }

  #ownIdleness(): 'idle' | 'active' | undefined {
    const allIdle = this.#allIdle()
    if (allIdle === this.#idle) return undefined
    this.#idle = allIdle
    return allIdle ? 'idle' : 'active'
  }

  /** Of the channels that are left; with none left it stays as it is. */
  #allIdle(): boolean {
    const open = this.#channels.filter(channel => !channel.ended)
    return open.length === 0 ? this.#idle : open.every(channel => channel.idle)
  }

  #advanced(): number | undefined {
    let smallestMs = Number.POSITIVE_INFINITY
    let counting = 0
    for (const { watermarkMs, idle, ended } of this.#channels) {
      if (idle || ended) continue
      counting++
      if (watermarkMs < smallestMs) smallestMs = watermarkMs
    }
    if (counting === 0 || smallestMs <= this.#combinedMs) return undefined
    this.#combinedMs = smallestMs
    return smallestMs
  }
}

export interface CapturedWatermarks {
  readonly combinedMs: number
  readonly channels: readonly { readonly watermarkMs: number; readonly idle: boolean }[]
}

interface ChannelTime {
  watermarkMs: number
  idle: boolean
  ended: boolean
}
