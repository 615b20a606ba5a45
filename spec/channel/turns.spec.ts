import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Turns } from '../../lib/channel/turns.ts'

test('the first is the one that has been here longest, whatever comes and goes', () => {
  const step = fc.record({ channel: fc.nat({ max: 4 }), adds: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const turns = new Turns(5)
      let list: readonly number[] = []
      for (const { channel, adds } of steps) {
        if (adds) {
          turns.add(channel)
          if (!list.includes(channel)) list = [...list, channel]
        } else {
          turns.remove(channel)
          list = list.filter(other => other !== channel)
        }
        expect(turns.first).toBe(list[0])
      }
    }),
  )
})
