import { map, merge, Observable } from 'rxjs'
import { Channel } from '../channel/channel.ts'
import { ChannelGate } from '../channel/gate.ts'
import { buffer, cancel, type StreamElement } from '../element.ts'
import { type Lineage, type NoSides, type OperatorNode, type Sides, Stream } from '../graph/stream.ts'
import type { Task } from '../graph/task.ts'
import { together } from '../graph/together.ts'
import { absurd } from '../invariant.ts'
import { gateState } from '../snapshot/frame.ts'
import { capturedWatermarks } from '../time/capturedWatermarks.ts'
import { type AlignedElement, align } from './align.ts'

/** An element as an operator of several inputs takes it. */
export interface FromInput<out T> {
  readonly element: StreamElement<T>
  /** Number of the input that a buffer comes from. What is no buffer holds for all inputs, whatever the number. */
  readonly input: number
}

type Build<T, R> = (elements: Observable<FromInput<T>>, task: Task, node: OperatorNode) => Observable<StreamElement<R>>

/**
 * An operator of several inputs. `build` makes it in a task, from what the inputs come to together: buffers as they come,
 * the smallest watermark (idle inputs do not count), a barrier once all inputs have sent it, one end after the last.
 *
 * In a job this is the task's gate. In place the operator has a gate of its own, in which what an input sends behind a
 * barrier waits for the others' barriers, without a bound. Unaligned barriers are aligned there: in place nothing is full.
 */
export const multiInput = <T, R, S extends Sides = NoSides>(
  lineage: Omit<Lineage, 'inputs' | 'source'>,
  inputs: readonly Stream<T, any>[],
  build: Build<T, R>,
): Stream<R, S> =>
  new Stream<R, S>({ ...lineage, inputs: toldApart(inputs) }, (task, node) => build(gathered(task, node), task, node))

/** A stream that is an input twice becomes two: a task knows its inputs by their streams. */
const toldApart = <T>(inputs: readonly Stream<T, any>[]): readonly Stream<T, any>[] =>
  inputs.map((input, number) =>
    inputs.indexOf(input) < number ? new Stream<T, any>({ of: input.node, side: input.sideName }) : input,
  )

const gathered = <T>(task: Task, node: OperatorNode): Observable<FromInput<T>> => {
  const inputs = node.lineage.inputs as readonly Stream<T>[]
  const cut = inputs.flatMap((stream, input) => {
    const elements = task.input(stream)
    return elements === undefined ? [] : [elements.pipe(map(element => ({ element, input })))]
  })
  return cut.length > 0 ? merge(...cut) : gatheredInPlace(inputs, task)
}

const gatheredInPlace = <T>(inputs: readonly Stream<T>[], task: Task): Observable<FromInput<T>> =>
  new Observable(subscriber => {
    const channels = inputs.map(() => new Channel<T>())
    const restored = task
      .open({ name: gateState.operator })
      .keep(gateState.watermarks, capturedWatermarks, () => gate.captureWatermarks())
    const gate: ChannelGate<T> = new ChannelGate(channels, restored)
    let open = inputs.length
    let taking = false

    const takeAll = (): void => {
      // What an element that is being handed over leads to is taken behind it.
      if (taking) return
      taking = true
      while (gate.take(everything));
      taking = false
      if (open === 0) subscriber.complete()
    }

    subscriber.add(
      gate.pipe(align<T>({ scheduler: task.scheduler })).subscribe({
        next: aligned => {
          const element = elementOf(aligned)
          if (element !== undefined) subscriber.next({ element, input: gate.current })
        },
      }),
    )
    together(task, () =>
      inputs.forEach((stream, input) => {
        subscriber.add(
          stream.in(task).subscribe({
            next: element => {
              send(element, channels[input] as Channel<T>)
              takeAll()
            },
            error: error => subscriber.error(error),
            complete: () => {
              open--
              takeAll()
            },
          }),
        )
      }),
    )
  })

const everything = { recordsMax: Number.POSITIVE_INFINITY, takes: 'all' } as const

/** As a writer does: side records have been read by now, and splits are known up to here. */
const send = <T>(element: StreamElement<T>, channel: Channel<T>): void => {
  switch (element.kind) {
    case 'side':
    case 'splits':
      return
    case 'buffer':
      return channel.push(
        element.split === undefined ? element : buffer(element.records, { ...element, split: undefined }),
      )
    case 'barrier':
      return channel.push(element.alignment === 'aligned' ? element : { ...element, alignment: 'aligned' })
    default:
      return channel.push(element)
  }
}

const elementOf = <T>(aligned: AlignedElement<T>): StreamElement<T> | undefined => {
  switch (aligned.kind) {
    case 'begin':
      return aligned.barrier
    case 'aborted':
      return cancel(aligned.checkpoint)
    case 'captured':
    case 'aligned':
      return undefined
    case 'buffer':
    case 'watermark':
    case 'idle':
    case 'active':
    case 'recovered':
    case 'end':
      return aligned
    default:
      return absurd(aligned)
  }
}
