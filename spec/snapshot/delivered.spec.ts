import { expect, test } from 'vitest'
import { delivered } from '../../lib/snapshot/delivered.ts'
import type { ChannelData, OutputData, ReadSnapshot } from '../../lib/snapshot/snapshot.ts'
import { elements, picture } from '../channel/pictures.ts'

interface Snapshot {
  readonly ended?: boolean
  /** `0.1 a w1`: of input 0 from producer 1; `0.1@2 a ^2 b`: beginning in generation 2. */
  readonly inFlight?: readonly string[]
  /** The same behind the consumer's name. */
  readonly outputs?: readonly string[]
}

type Matched = readonly [all: string, input: string, from: string, generation: string | undefined, pictures: string]

const channel = (text: string): ChannelData => {
  const [, input, from, generation, pictures] = /^(\d)\.(\d)(?:@(\d))? ?(.*)$/.exec(text) as unknown as Matched
  return {
    input: Number(input),
    from: Number(from),
    generation: generation === undefined ? undefined : Number(generation),
    elements: elements(pictures),
  }
}

const output = (text: string): OutputData => {
  const [, to, of] = /^(\S+) (.*)$/.exec(text) as unknown as [string, string, string]
  return { to, ...channel(of) }
}

const read = ({ ended = false, inFlight = [], outputs = [] }: Snapshot): ReadSnapshot => ({
  ended,
  operators: new Map(),
  inFlight: inFlight.map(channel),
  outputs: outputs.map(output),
})

const restored = (snapshots: Readonly<Record<string, Snapshot>>) =>
  Object.fromEntries(
    Array.from(
      delivered(new Map(Object.entries(snapshots).map(([task, of]) => [task, read(of)]))),
      ([task, { inFlight }]) => [
        task,
        inFlight.map(({ input, from, generation, elements: of }) => {
          const channel = generation === undefined ? `${input}.${from}` : `${input}.${from}@${generation}`
          return [channel, ...of.map(each => picture(each as any))].join(' ')
        }),
      ],
    ),
  )

test.each<[claim: string, snapshots: Readonly<Record<string, Snapshot>>, inFlight: Readonly<Record<string, string[]>>]>(
  [
    [
      "what was passed in a sending half stands behind the consumer's own of that channel, in order",
      { 'a/0': { outputs: ['b/0 0.0 c w2 d'] }, 'b/0': { inFlight: ['0.0 a w1 b', '0.1 x'] } },
      { 'a/0': [], 'b/0': ['0.0 a w1 b c w2 d', '0.1 x'] },
    ],
    [
      'a channel of which the consumer has captured nothing begins with it',
      { 'a/0': { outputs: ['b/0 0.0 c'] }, 'b/0': { inFlight: ['0.1 x'] } },
      { 'a/0': [], 'b/0': ['0.1 x', '0.0 c'] },
    ],
    [
      'each goes to its consumer, input and producer',
      {
        'a/0': { outputs: ['b/0 0.0 c', 'b/1 0.0 d'] },
        'a/1': { outputs: ['b/0 0.1 e', 'b/0 1.1 f'] },
        'b/0': { outputs: ['c/0 0.0 g'] },
        'b/1': {},
        'c/0': {},
      },
      { 'a/0': [], 'a/1': [], 'b/0': ['0.0 c', '0.1 e', '1.1 f'], 'b/1': ['0.0 d'], 'c/0': ['0.0 g'] },
    ],
    [
      'the order of the tasks does not matter',
      { 'c/0': { inFlight: ['0.0 a'] }, 'b/0': { inFlight: ['0.0 b'], outputs: ['c/0 0.0 d'] } },
      { 'c/0': ['0.0 a d'], 'b/0': ['0.0 b'] },
    ],
    [
      'of recovered data it stands behind what is in the channel, whose markers say how far that goes',
      { 'a/0': { outputs: ['b/0 0.0@2 c ^2 d'] }, 'b/0': { inFlight: ['0.0@1 a ^1 b'] } },
      { 'a/0': [], 'b/0': ['0.0@1 a ^1 b c ^2 d'] },
    ],
    [
      'but not behind what the consumer holds back for a later generation',
      { 'a/0': { outputs: ['b/0 0.0@2 c ^2 d'] }, 'b/0': { inFlight: ['0.0@0 a ^0 ^1', '0.0@1 r', '0.0@3 s'] } },
      { 'a/0': [], 'b/0': ['0.0@0 a ^0 ^1 c ^2 d', '0.0@1 r', '0.0@3 s'] },
    ],
    [
      'nor where nothing is in the channel',
      { 'a/0': { outputs: ['b/0 0.0@1 c ^1 d'] }, 'b/0': { inFlight: ['0.0@2 r', '0.0@3 s'] } },
      { 'a/0': [], 'b/0': ['0.0@2 r', '0.0@3 s', '0.0@1 c ^1 d'] },
    ],
    [
      'what is newer than all recovered data stands behind its last marker',
      { 'a/0': { outputs: ['b/0 0.0 c', 'b/0 0.1 d'] }, 'b/0': { inFlight: ['0.0@1 a ^1 b'] } },
      { 'a/0': [], 'b/0': ['0.0@1 a ^1 b c', '0.1 d'] },
    ],
  ],
)('%s', (_, snapshots, inFlight) => {
  expect(restored(snapshots)).toEqual(inFlight)
})

test('nothing is on its way to a task that has ended, or that is not there', () => {
  const claim = /b\/0, to which data is on its way, has not ended/
  expect(() => restored({ 'a/0': { outputs: ['b/0 0.0 c'] }, 'b/0': { ended: true } })).toThrow(claim)
  expect(() => restored({ 'a/0': { outputs: ['b/0 0.0 c'] } })).toThrow(claim)
})
