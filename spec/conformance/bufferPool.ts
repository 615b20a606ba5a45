import * as t from 'io-ts'
import { initialPool, isAvailable, overdraftOf, type PoolAnswer, pool } from '../../lib/channel/pool.ts'
import { decode } from '../../lib/decode.ts'
import { difference, type Failure, type Suite } from './failure.ts'

const stepType = t.intersection([
  t.type({ do: t.string }),
  t.partial({ out: t.keyof({ granted: null, refused: null }), available: t.boolean, overdraft: t.number }),
])

const caseType = t.type({
  size: t.number,
  channels: t.number,
  perChannelMax: t.number,
  overdraftMax: t.number,
  steps: t.array(stepType),
})

type Case = t.TypeOf<typeof caseType>

/**
 * Reads a case of the suite "buffer-pool". Run on a writer's pool, it says what differs.
 *
 * @throws an Error, if the case or a step of it cannot be parsed
 */
export const bufferPoolCase: Suite = of => {
  const read = decode(caseType, of, {
    place: 'a case of the suite buffer-pool',
    remedy: 'The format is described in the README of the cases.',
    code: 'INVALID_OPTION',
  })
  const does = read.steps.map(step => readStep(step.do, read.channels))
  return () => differencesOf(read, does)
}

const differencesOf = ({ channels, steps, ...options }: Case, does: readonly Step[]): readonly Failure[] => {
  const held = new Array<number>(channels).fill(0)
  let state = initialPool(options)
  return steps.flatMap((step, i) => {
    const [next, answer] = pool(state, eventOf(does[i] as Step, held))
    state = next
    follow(does[i] as Step, held, answer)
    const at = `step ${i + 1}: ${step.do}`
    return [
      ...difference(`${at}, out`, step.out, answer === 'overdraft' ? 'granted' : answer),
      ...difference(`${at}, available`, step.available, isAvailable(state)),
      ...difference(`${at}, overdraft`, step.overdraft, overdraftOf(state)),
    ]
  })
}

type Step =
  | { readonly kind: 'request'; readonly channel: number }
  | { readonly kind: 'release'; readonly channel: number }
  | { readonly kind: 'resize'; readonly size: number }

const readStep = (text: string, channels: number): Step => {
  const [, kind, number] = /^(request|release|resize) (\d+)$/.exec(text) ?? []
  if (kind === 'resize') return { kind, size: Number(number) }
  const channel = Number(number)
  if ((kind === 'request' || kind === 'release') && channel < channels) return { kind, channel }
  throw new Error(`The step \`${text}\` of the suite buffer-pool cannot be parsed.`)
}

const eventOf = (step: Step, held: readonly number[]) => {
  switch (step.kind) {
    case 'request':
      return { kind: 'requested', channelHeld: held[step.channel] as number } as const
    case 'release':
      if (held[step.channel] === 0) throw new Error(`Channel ${step.channel} has no buffer to release.`)
      return { kind: 'released', channelHeld: held[step.channel] as number } as const
    case 'resize':
      return { kind: 'resized', size: step.size } as const
  }
}

/** What a channel holds is its own to know. */
const follow = (step: Step, held: number[], answer: PoolAnswer): void => {
  if (step.kind === 'request' && answer !== 'refused') held[step.channel] = (held[step.channel] as number) + 1
  if (step.kind === 'release') held[step.channel] = (held[step.channel] as number) - 1
}
