/** An immutable set of a gate's channels: 32 of them a word, so that a copy for a thousand is 125 bytes. */
export interface ChannelSet {
  readonly count: number
  readonly words: Int32Array
}

/** The empty set for a gate of so many channels. */
export const noChannels = (channels: number): ChannelSet => ({ count: 0, words: new Int32Array((channels + 31) >>> 5) })

export const hasChannel = ({ words }: ChannelSet, channel: number): boolean =>
  ((words[channel >>> 5] as number) & (1 << (channel & 31))) !== 0

export const withChannel = (set: ChannelSet, channel: number): ChannelSet => {
  if (hasChannel(set, channel)) return set
  const words = set.words.slice()
  words[channel >>> 5] = (words[channel >>> 5] as number) | (1 << (channel & 31))
  return { count: set.count + 1, words }
}

/** The members, ascending. */
export const channelsIn = ({ words }: ChannelSet): readonly number[] => {
  const channels: number[] = []
  words.forEach((word, at) => {
    for (let rest = word; rest !== 0; rest &= rest - 1) channels.push(at * 32 + 31 - Math.clz32(rest & -rest))
  })
  return channels
}
