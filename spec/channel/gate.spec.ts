import { describe, expect, test } from 'vitest'
import { ChannelGate } from '../../lib/channel/gate.ts'
import { initialGenerations } from '../../lib/channel/generations.ts'
import { barrier, end, recovered, type StreamElement } from '../../lib/element.ts'
import type { CapturedWatermarks } from '../../lib/time/watermarks.ts'
import { type Form, forms } from './forms.ts'
import { elements, picture, transcript } from './pictures.ts'

/** `0 push a`, `take`, `take no data`, `block 0`, `capture 1 0` (channel 0, checkpoint 1); what is taken is `0:a`. */
const told = (
  lines: readonly string[],
  { form, channels: count, restored }: { form: Form; channels: number; restored?: CapturedWatermarks },
) => {
  const channels = Array.from({ length: count }, () => form.make<string>())
  const gate = new ChannelGate(
    channels.map(({ halves }) => halves.receiving),
    restored,
  )
  const said: string[] = []
  gate.subscribe(event => {
    if (event.kind === 'taken') said.push(`${event.channel}:${picture(event.element)}`)
    else if (event.kind === 'announced') said.push(`announced ${event.barrier.checkpoint} in ${event.channel}`)
    else said.push(`captured ${event.checkpoint} of ${event.channel}: ${event.elements.map(picture).join(' ')}`)
  })
  const takes = (appetite: string) => (appetite || 'all') as 'all' | 'no data' | 'unaligned barriers'
  const push = (channel: number) => (pictures: string) => {
    for (const pushed of elements(pictures)) channels[channel]?.halves.sending.push(pushed)
    channels[channel]?.settle()
  }
  return transcript(lines, {
    said,
    commands: {
      ...Object.fromEntries(channels.map((_, id) => [id, push(id)])),
      take: appetite => {
        if (!gate.take({ recordsMax: 1_000, takes: takes(appetite) })) said.push('nothing')
      },
      part: recordsMax => void gate.take({ recordsMax: Number(recordsMax), takes: 'all' }),
      rest: appetite => {
        while (gate.take({ recordsMax: 1_000, takes: takes(appetite) }));
      },
      has: appetite => said.push(String(gate.hasFor(takes(appetite)))),
      urgent: () => said.push(String(gate.hasUnaligned)),
      block: channel => gate.perform({ kind: 'block', channel: Number(channel) }),
      unblock: channel => gate.perform({ kind: 'unblock', channel: Number(channel) }),
      capture: checkpointAndChannel => {
        const [checkpoint, channel] = checkpointAndChannel.split(' ').map(Number) as [number, number]
        gate.perform({ kind: 'capture', channel, checkpoint })
      },
      drop: checkpoint => gate.perform({ kind: 'drop', checkpoint: Number(checkpoint) }),
      cancel: checkpoint => gate.cancel(Number(checkpoint)),
      current: () => said.push(String(gate.current)),
    },
  })
}

type Case = readonly [claim: string, ...lines: string[]]

const takingCases: readonly Case[] = [
  ['channels take turns', '0 a b c', '1 d', '2 e f', 'rest -> 0:a 1:d 2:e 0:b 2:f 0:c'],
  [
    'a channel that becomes ready waits behind those that are',
    '0 a b c',
    'take -> 0:a',
    '1 d',
    'take -> 0:b',
    'rest -> 1:d 0:c',
  ],
  ['an empty gate gives nothing', 'take -> nothing', 'has -> false'],
  ['what is left of a buffer waits for its next turn', '0 abc', '1 d', 'part 2 -> 0:ab', 'rest -> 1:d 0:c'],
  ['it says which channel it has taken from', '1 a', 'take -> 1:a', 'current -> 1'],
  [
    'a blocked channel gives nothing',
    '0 a',
    '1 b c',
    'block 0',
    'rest -> 1:b 1:c',
    'has -> false',
    'unblock 0',
    'has -> true',
    'rest -> 0:a',
  ],
  [
    'a blocked channel gives no unaligned barrier',
    '0 <1!>',
    'block 0',
    'urgent -> false',
    'take unaligned barriers -> nothing',
    'unblock 0',
    'urgent -> true',
    'take -> 0:<1!>',
  ],
  [
    'unaligned barriers are taken before anything of other channels',
    '0 a b',
    '1 c',
    '2 d <1!>',
    'urgent -> true',
    'take -> 2:<1!>',
    'urgent -> false',
    'rest -> 0:a 1:c 2:d 0:b',
  ],
  [
    'unaligned barriers change nobody’s turn',
    '0 a b',
    '1 c d',
    'take -> 0:a',
    '0 <1!>',
    '1 <1!>',
    'take -> 0:<1!>',
    'take -> 1:<1!>',
    'rest -> 1:c 0:b 1:d',
  ],
  ['an aligned barrier waits its turn', '0 a', '1 <1>', 'urgent -> false', 'rest -> 0:a 1:<1>'],
  [
    'without data it takes barriers, cancel markers and ends',
    '0 <1> a',
    '1 x1 b',
    '2 | ',
    'rest no data -> 0:<1> 1:x1 2:|',
    'has no data -> false',
    'has -> true',
  ],
  [
    'without data it takes no barrier that stands behind data',
    '0 a <1>',
    '1 w1 |',
    '2 idle x1',
    'has no data -> false',
    'take no data -> nothing',
  ],
  ['without data it takes unaligned barriers', '0 a <1!>', 'has no data -> true', 'rest no data -> 0:<1!>'],
  [
    'unaligned barriers alone are taken while an operator is suspended',
    '0 a <1!>',
    '1 <1>',
    '2 |',
    'has unaligned barriers -> true',
    'rest unaligned barriers -> 0:<1!>',
  ],
  [
    'what a checkpoint captures is given once asked for, then as it arrives',
    '0 a w1',
    '1 b',
    'capture 1 0 -> captured 1 of 0: a w1',
    '1 c',
    '0 d -> captured 1 of 0: d',
    '0 <1!> e',
    'rest -> 0:<1!> 0:a 1:b 1:c 0:d 0:e',
  ],
  [
    'what is given up is not captured any more',
    'capture 1 0',
    'capture 1 1',
    '0 a -> captured 1 of 0: a',
    'drop 1',
    '0 b',
    '1 c',
    'capture 2 0 -> captured 2 of 0: a b',
    'drop 1',
    '0 d -> captured 2 of 0: d',
  ],
  ['an empty channel has nothing captured', 'capture 1 0', '0 <1!> a'],
  [
    'a checkpoint given up comes like its cancel marker, of the current channel',
    '1 a',
    'take -> 1:a',
    'cancel 3 -> 1:x3',
  ],
]

const timeCases: readonly Case[] = [
  [
    "the task's watermark is the smallest of its channels'",
    '0 w5',
    'take',
    '1 w3',
    'take',
    '2 w9',
    'take -> 2:w3',
    '1 w7',
    'take -> 1:w5',
  ],
  [
    'a watermark that changes nothing is not handed over',
    '0 w5',
    '1 w6',
    '2 w7',
    'rest -> 2:w5',
    '1 w9',
    'take',
    '0 w5',
    'take',
  ],
  ['a watermark never goes back', '0 w5', '1 w5', '2 w5', 'rest -> 2:w5', '0 w3', '0 idle', 'rest'],
  ['an idle channel holds nothing back', '0 w5', '1 w7', 'rest', '2 idle', 'take -> 2:w5', '0 idle', 'take -> 0:w7'],
  [
    'the task is idle when all its channels are',
    '0 idle',
    '1 idle',
    'rest',
    '2 idle',
    'take -> 2:idle',
    '0 active',
    'take -> 0:active',
    '1 active',
    'take',
  ],
  [
    'a buffer makes its idle channel active',
    '0 idle',
    '1 idle',
    '2 idle',
    'rest -> 2:idle',
    '1 a',
    'take -> 1:active 1:a',
    '1 b',
    'take -> 1:b',
  ],
  [
    'a channel that is active again holds the watermark where it is',
    '0 w5',
    '1 w5',
    '2 idle',
    'rest -> 2:w5',
    '2 active',
    'take',
    '0 w8',
    '1 w8',
    'rest',
    '2 w6',
    'take -> 2:w6',
  ],
  [
    'an ended channel holds nothing back',
    '0 w5',
    '1 w7',
    'rest',
    '2 |',
    'take -> 2:w5 2:|',
    '0 |',
    'take -> 0:w7 0:|',
    '1 |',
    'take -> 1:|',
  ],
  ['the task is idle when the last channel that was not ends', '0 idle', '1 idle', 'rest', '2 |', 'take -> 2:idle 2:|'],
  ['the last end makes nothing idle or active', '0 idle', '1 |', '2 |', 'rest -> 1:| 2:idle 2:|', '0 |', 'take -> 0:|'],
  ['a watermark comes before the end that lets it pass', '0 w5', '1 w5', '2 a |', 'rest -> 2:a 2:w5 2:|'],
]

describe.each(forms)('channels of $name:', form => {
  test.each(takingCases)('%s', (_, ...lines) => {
    expect(told(lines, { form, channels: 3 })).toEqual(lines)
  })

  test.each(timeCases)('%s', (_, ...lines) => {
    expect(told(lines, { form, channels: 3 })).toEqual(lines)
  })

  test('a restored gate goes on with the watermark of each channel', () => {
    const restored = {
      combinedMs: 3,
      channels: [
        { watermarkMs: 3, idle: false },
        { watermarkMs: 8, idle: false },
        { watermarkMs: 1, idle: true },
      ],
    }
    const lines = ['0 w3', 'take', '0 w6', 'take -> 0:w6', '2 active', 'take', '0 w7', 'take', '2 w7', 'take -> 2:w7']
    expect(told(lines, { form, channels: 3, restored })).toEqual(lines)
  })
})

describe.each(forms)('channels of $name, while recovered data is worked off:', form => {
  const gateOf = (count: number) => {
    const channels = [0, 1].map(() => form.make<string>())
    const receiving = channels.map(({ halves }) => halves.receiving)
    const gate = new ChannelGate(receiving, undefined, initialGenerations(count, 2))
    const said: string[] = []
    gate.subscribe(event => {
      if (event.kind === 'taken') said.push(`${event.channel}:${picture(event.element)}`)
      if (event.kind === 'captured') said.push(`${event.channel}:${event.elements.map(picture).join(' ')} captured`)
    })
    const push = (channel: number, ...all: readonly StreamElement<string>[]) => {
      for (const element of all) channels[channel]?.halves.sending.push(element)
      channels[channel]?.settle()
    }
    const restore = (channel: number, ...all: readonly StreamElement<string>[]) => receiving[channel]?.restore(all)
    const takeAll = () => {
      while (gate.take({ recordsMax: 10, takes: 'all' }));
      return said.splice(0)
    }
    return { push, restore, gate, said, takeAll }
  }

  test('nothing of a channel behind its marker is taken until all have delivered theirs, but unaligned barriers', () => {
    const { push, restore, gate, said, takeAll } = gateOf(2)
    restore(0, ...elements('a'), recovered(0), ...elements('b'))
    expect(takeAll()).toEqual(['0:a'])
    push(0, barrier(1, { alignment: 'unaligned' }))
    expect(takeAll()).toEqual(['0:<1!>'])
    expect(gate.captureGenerations()).toEqual({ count: 2, generation: 0, delivered: [1, 0] })
    restore(1, ...elements('c'), recovered(0))
    expect([takeAll(), gate.mayPass]).toEqual([['1:c'], true])
    gate.pass()
    expect([said.splice(0), takeAll()]).toEqual([['1:^0'], ['0:b']])
  })

  test('what was restored of a generation is taken in front of what was sent of it, and of a later one not yet', () => {
    const { push, gate, said, takeAll } = gateOf(3)
    gate.park({ channel: 0, generation: 1, elements: elements('r') })
    gate.park({ channel: 1, generation: 2, elements: elements('s') })
    push(0, recovered(0), ...elements('a'))
    push(1, recovered(0))
    expect(takeAll()).toEqual([])
    gate.pass()
    expect(gate.captureParked()).toEqual([{ channel: 1, generation: 2, elements: elements('s') }])
    gate.perform({ kind: 'capture', channel: 0, checkpoint: 1 })
    expect([said.splice(0), takeAll()]).toEqual([
      ['1:^0', '0:r a captured'],
      ['0:r', '0:a'],
    ])
  })

  test('a marker that is not the next one, or an end before the last, is a broken promise', () => {
    const { push, takeAll } = gateOf(2)
    push(0, recovered(1))
    expect(takeAll).toThrow('marker 0 is next, not 1')
    push(1, end)
    expect(takeAll).toThrow('a channel ends behind its last marker')
  })
})
