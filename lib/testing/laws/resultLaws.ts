import type { StreamElement } from '../../element.ts'
import { shown } from '../../graph/callEach.ts'
import { msgpackEncoding } from '../../snapshot/encoding.ts'
import { cut, OperatorRun } from './operatorRun.ts'
import { expectForward, expectOutputs, outputName, outputsOf } from './outputs.ts'
import type { Tried } from './reference.ts'
import { expectSame } from './same.ts'

/** What comes out, whatever the cut of the input and the room of the output. */
export const resultLaws: Readonly<Record<string, (subject: Tried) => void>> = {
  'an empty input gives its end, once and last': subject => {
    const lanes = subject.lanes.map(() => [])
    const source = subject.source && { ...subject.source, splits: () => [[]] }
    const empty = new OperatorRun({ ...subject, lanes, source })
    for (const [lane] of lanes.entries()) empty.h.lane(lane).end()
    if (source !== undefined) empty.rest({ from: 0 })
    expectOneEnd(empty, 'an empty input')
    expectOneEnd(new OperatorRun(subject).rest({ from: 0 }), 'the whole input')
  },

  'an input that gives nothing and does not end gives nothing': subject => {
    const silent = new OperatorRun(subject)
    silent.h.advance(3_600_000)
    for (const [name, elements] of silent.elements) expectSame(elements, { expected: [], where: outputName(name) })
  },

  'buffers of any cut give the same results, each with its time and note': subject => {
    const { keyOf } = subject
    const whole = (recordsMax: number) => {
      const lanes = subject.lanes.map(lane => cut(lane, recordsMax))
      return outputsOf(new OperatorRun({ ...subject, lanes, recordsMax }).rest({ from: 0 }).elements)
    }
    const expected = whole(1)
    const cuts = [
      ['as given', subject.reference.outputs],
      ...[2, 7, Number.MAX_SAFE_INTEGER].map(recordsMax => [`of ${recordsMax}`, whole(recordsMax)] as const),
    ] as const
    for (const [of, received] of cuts) expectOutputs(received, { expected, keyOf, where: `in buffers ${of}` })
  },

  'an output that is full on every other call changes nothing': subject => {
    const { keyOf, reference } = subject
    const run = new OperatorRun(subject, { room: 1 })
    for (let i = 0; run.step(i); i++) run.h.free(1)
    for (let calls = 0; !run.h.ended; calls++) {
      if (calls > callsMax) throw new Error(`expected an end, received none in ${callsMax} calls`)
      run.h.free(1)
      if (subject.source !== undefined) run.step(0)
    }
    expectOutputs(outputsOf(run.elements), { expected: reference.outputs, keyOf, where: 'full on every other call' })
  },

  'inputs and results are not changed': subject => {
    const run = new OperatorRun(subject)
    const inputs = subject.lanes.map(copyOf)
    const results = new Map<string, unknown[]>()
    for (let i = 0, more = true; more; i++) {
      more = run.step(i)
      expectSame(subject.lanes, { expected: inputs, where: `the input, behind element ${i + 1}` })
      for (const [name, elements] of run.elements) {
        const copies = results.get(name) ?? []
        const where = `result of ${outputName(name)}, behind element ${i + 1}`
        expectSame(elements.slice(0, copies.length), { expected: copies, where })
        results.set(name, [...copies, ...elements.slice(copies.length).map(copyOf)])
      }
    }
  },

  'watermarks never go back, and none overtakes a result': subject => {
    const run = new OperatorRun(subject)
    const passed = new Map<string, number>()
    for (let i = 0, more = true; more; i++) {
      const step = run.steps?.[i]
      const seen = new Map([...run.elements].map(([name, elements]) => [name, elements.length]))
      more = run.step(i)
      const late = step !== undefined && isLate(step.element, Math.max(...passed.values()))
      for (const [name, elements] of run.elements) {
        const where = `element ${i + 1}, ${outputName(name)}`
        let watermarkMs = passed.get(name) ?? Number.NEGATIVE_INFINITY
        for (const element of elements.slice(seen.get(name))) {
          if (element.kind === 'watermark') watermarkMs = element.timeMs
          else if (!late) expectNotOvertaken(element, watermarkMs, where)
        }
        passed.set(name, watermarkMs)
      }
    }
    for (const [name, output] of outputsOf(run.elements)) expectForward(output, outputName(name))
  },
}

const expectOneEnd = (run: OperatorRun, where: string): void => {
  for (const [name, elements] of run.elements) {
    const ends = elements.flatMap(({ kind }, i) => (kind === 'end' ? [i] : []))
    expectSame(ends, { expected: [elements.length - 1], where: `${where}, ${outputName(name)}, place of the end` })
  }
}

/** A record behind the watermark leads to results behind it. */
const isLate = (element: StreamElement<any>, watermarkMs: number): boolean =>
  element.kind === 'buffer' && element.times?.some(timeMs => timeMs < watermarkMs) === true

const expectNotOvertaken = (element: StreamElement<unknown>, watermarkMs: number, where: string): void => {
  if (element.kind !== 'buffer') return
  element.times?.forEach((timeMs, i) => {
    const isLate = (element.notes?.[i] ?? Number.NEGATIVE_INFINITY) > Number.NEGATIVE_INFINITY
    if (timeMs === Number.NEGATIVE_INFINITY || timeMs >= watermarkMs || isLate) return
    throw new Error(
      `${where}: expected nothing before ${watermarkMs} behind that watermark, received ${shown(element.records[i])} of ${timeMs}`,
    )
  })
}

const copyOf = <T>(value: T): T => {
  const encoding = msgpackEncoding()
  return encoding.decode(encoding.encode(value, 'an element')) as T
}

/** More than any operator needs for a few elements. */
const callsMax = 100_000
