import { expect, test } from 'vitest'
import { channelsIn, hasChannel, noChannels, withChannel } from '../../lib/alignment/channelSet.ts'

test.each([1, 31, 32, 33, 1_000])(
  'a set of %i channels holds each that is put in, once, and the old set keeps its own',
  count => {
    const channels = Array.from({ length: count }, (_, channel) => channel)
    let set = noChannels(count)
    for (const channel of channels.toReversed()) {
      const before = set
      expect(hasChannel(set, channel)).toBe(false)
      set = withChannel(set, channel)
      expect([hasChannel(set, channel), set.count]).toEqual([true, before.count + 1])
      expect(hasChannel(before, channel)).toBe(false)
      expect(withChannel(set, channel)).toBe(set)
    }
    expect(channelsIn(set)).toEqual(channels)
  },
)
