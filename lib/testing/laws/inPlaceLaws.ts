import { InPlaceStream } from './inPlaceRun.ts'
import type { Tried } from './reference.ts'
import { expectSame } from './same.ts'

/** What an operator does with its source as an RxJS operator does. */
export const inPlaceLaws: Readonly<Record<string, (subject: Tried) => void>> = {
  'it completes when its source does': subject => {
    const run = new InPlaceStream(subject).run().play()
    expectSame(run.completed, { expected: false, where: 'completed before its source' })
    run.complete()
    expectSame(run.completed, { expected: true, where: 'completed with its source' })
  },

  'an error of the source comes out once, and nothing after it': subject => {
    const error = new Error('the source has failed')
    const stream = new InPlaceStream(subject)
    for (let position = 0; position <= stream.steps.length; position++) {
      const run = stream.run().play(position)
      const { length } = run.elements
      run.fail(error)
      const where = `the source fails behind element ${position}`
      expectSame(run.errors, { expected: [error], where: `${where}, errors` })
      expectSame(run.elements.length, { expected: length, where: `${where}, elements` })
    }
  },

  'unsubscribing after any output unsubscribes the source, and nothing follows': subject => {
    const stream = new InPlaceStream(subject)
    const { length } = stream.run().play().elements
    for (let n = 0; n <= length; n++) {
      const run = stream.run({ elementsMax: n }).play()
      const where = `unsubscribed after ${n} elements`
      expectSame(run.elements.length, { expected: n, where: `${where}, elements` })
      expectSame(run.subscribed, { expected: 0, where: `${where}, inputs still subscribed to` })
      expectSame(run.scheduler.actions.length, { expected: 0, where: `${where}, actions still scheduled` })
    }
  },

  'two tasks of one stream do not disturb each other': subject => {
    const stream = new InPlaceStream(subject)
    const alone = stream.run().play()
    const [one, other] = [stream.run(), stream.run()]
    stream.steps.forEach((_, i) => {
      one.step(i)
      other.step(i)
    })
    for (const [run, which] of [
      [one, 'first'],
      [other, 'second'],
    ] as const)
      expectSame(run.elements, { expected: alone.elements, where: `elements of the ${which} task` })
  },
}
