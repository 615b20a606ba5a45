import { type Observable, Subject, Subscription, VirtualTimeScheduler } from 'rxjs'
import { keyBy } from '../../../operators/keyBy.ts'
import type { StreamElement } from '../../element.ts'
import { inPlace } from '../../graph/inPlace.ts'
import type { Source } from '../../graph/source.ts'
import { Stream } from '../../graph/stream.ts'
import type { Task } from '../../graph/task.ts'
import { harness } from '../harness.ts'
import { inTurns, type OperatorSubject, type Send } from './operatorRun.ts'

/** An operator subscribed to as a stream: without a gate, so that elements of sources come through too. */
export class InPlaceStream {
  readonly steps: readonly Send[]
  readonly #stream: Stream<any, any>
  readonly #lanes: number
  readonly #inputs = new Map<Task, Subject<StreamElement<any>>[]>()

  constructor({ operator, lanes, source, keyBy: keyOf }: OperatorSubject) {
    const elements = source === undefined ? lanes : [read(source)]
    this.steps = inTurns(elements)
    this.#lanes = elements.length
    const inputs = elements.map((_, lane) => {
      const input = new Stream<any>({ name: 'input', inputs: [] }, task => this.#inputsOf(task)[lane] as Subject<any>)
      return keyOf === undefined ? input : input.pipe(keyBy(keyOf))
    })
    this.#stream = operator()(...inputs)
  }

  /** In a task of its own; unsubscribed from after so many elements. */
  run({ elementsMax = Number.POSITIVE_INFINITY }: { readonly elementsMax?: number } = {}): InPlaceRun {
    const scheduler = new VirtualTimeScheduler()
    const task = inPlace({ scheduler })
    const inputs = this.#inputsOf(task)
    return new InPlaceRun(this.#stream.in(task), { steps: this.steps, inputs, scheduler, elementsMax })
  }

  #inputsOf(task: Task): readonly Subject<StreamElement<any>>[] {
    let inputs = this.#inputs.get(task)
    if (inputs === undefined) {
      inputs = Array.from({ length: this.#lanes }, () => new Subject())
      this.#inputs.set(task, inputs)
    }
    return inputs
  }
}

interface Running {
  readonly steps: readonly Send[]
  readonly inputs: readonly Subject<StreamElement<any>>[]
  readonly scheduler: VirtualTimeScheduler
  readonly elementsMax: number
}

export class InPlaceRun {
  readonly elements: StreamElement<any>[] = []
  readonly errors: unknown[] = []
  completed = false
  readonly scheduler: VirtualTimeScheduler
  readonly #running: Running

  constructor(stream: Observable<StreamElement<any>>, running: Running) {
    this.scheduler = running.scheduler
    this.#running = running
    const subscription = new Subscription()
    const unsubscribeInTime = () => {
      if (this.elements.length >= running.elementsMax) subscription.unsubscribe()
    }
    subscription.add(
      stream.subscribe({
        next: element => {
          this.elements.push(element)
          unsubscribeInTime()
        },
        error: error => this.errors.push(error),
        complete: () => {
          this.completed = true
        },
      }),
    )
    unsubscribeInTime()
  }

  step(number: number): void {
    const { lane, element } = this.#running.steps[number] as Send
    this.#running.inputs[lane]?.next(element)
  }

  play(steps = this.#running.steps.length): this {
    for (let i = 0; i < steps; i++) this.step(i)
    return this
  }

  complete(): void {
    for (const input of this.#running.inputs) input.complete()
  }

  /** Of the first input alone. */
  fail(error: unknown): void {
    this.#running.inputs[0]?.error(error)
  }

  /** Inputs that are subscribed to. */
  get subscribed(): number {
    return this.#running.inputs.filter(({ observed }) => observed).length
  }
}

const read = (source: Source<any>): readonly StreamElement<any>[] => {
  const h = harness((input: Stream<any>) => input, { source })
  while (h.read(2)) {}
  return h.elements
}
