import { Observable, type OperatorFunction, Subject } from 'rxjs'
import {
  type Alignment,
  active,
  type Barrier,
  type CheckpointId,
  cancel,
  idle,
  recovered,
  type StreamElement,
  timeoutMsOf,
  watermark,
} from '../element.ts'
import { invariant } from '../invariant.ts'
import { type CapturedWatermarks, ChannelWatermarks } from '../time/watermarks.ts'
import type { Consumer, InFlight, ReceivingHalf } from './channel.ts'
import { type Generations, generations, isHeld, isOver, mayPass } from './generations.ts'
import { Turns } from './turns.ts'

/** A channel's number in its gate, from 0. */
export type ChannelId = number

/** A barrier that may time out has arrived in a channel's queue. */
export interface Announced {
  readonly kind: 'announced'
  readonly channel: ChannelId
  readonly barrier: Barrier
}

/** An element that the task takes. */
export interface Taken<out T> {
  readonly kind: 'taken'
  readonly channel: ChannelId
  readonly element: StreamElement<T>
}

/** In-flight data of a checkpoint: what stood in the channel, or arrives in it, before the checkpoint's barrier. */
export interface Captured<out T> {
  readonly kind: 'captured'
  readonly checkpoint: CheckpointId
  readonly channel: ChannelId
  readonly elements: readonly InFlight<T>[]
}

/** Restored data that is only taken in its generation: until then it is in no channel. */
export interface Parked<out T> {
  readonly channel: ChannelId
  readonly generation: number
  readonly elements: readonly InFlight<T>[]
}

/** What alignment asks of the gate. */
export type GateOrder =
  | { readonly kind: 'block'; readonly channel: ChannelId }
  | { readonly kind: 'unblock'; readonly channel: ChannelId }
  /** The barrier, which has been announced, goes to the head of its queue. */
  | { readonly kind: 'prioritize'; readonly channel: ChannelId; readonly checkpoint: CheckpointId }
  | { readonly kind: 'capture'; readonly channel: ChannelId; readonly checkpoint: CheckpointId }
  | { readonly kind: 'drop'; readonly checkpoint: CheckpointId }
  /** From now on no barrier overtakes data as it arrives. */
  | { readonly kind: 'keepOrder' }

/** A task's input channels as `align` sees them: what is taken, in order, and a way to give orders. One subscriber. */
export abstract class Gate<T> extends Observable<Announced | Taken<T> | Captured<T>> {
  /** Set by `align`: how barriers that name no alignment are aligned. */
  alignment: Alignment = 'aligned'
  abstract readonly channels: number
  abstract perform(order: GateOrder): void

  override pipe(): this
  override pipe<A>(align: (gate: this) => A): A
  override pipe<A, B>(align: (gate: this) => Observable<A>, b: OperatorFunction<A, B>): Observable<B>
  override pipe(...operators: ((source: any) => any)[]): unknown {
    return operators.reduce<unknown>((source, operator) => operator(source), this)
  }
}

/** What the task may take now. */
export interface Appetite {
  /** Most records of a buffer. */
  readonly recordsMax: number
  /** `all`; without data, as when the output is full; only unaligned barriers, as while an operator is suspended. */
  readonly takes: 'all' | 'no data' | 'unaligned barriers'
}

/**
 * The gate over channels. The task decides when to `take`; which channel is next is a turn about, but that unaligned
 * barriers come first. Blocked channels give nothing. The task's own watermark is the smallest of its channels'. No step
 * looks through all channels.
 */
export class ChannelGate<T> extends Gate<T> implements Consumer<T> {
  /** The channel of the element being handed over. */
  current: ChannelId = 0
  keepsOrder = false
  /** Something has arrived, or stands first now. */
  onArrived: () => void = () => {}
  readonly #channels: readonly ReceivingHalf<T>[]
  /** Channels that may be taken from: with an unaligned barrier first, and all others. */
  readonly #unaligned: Turns
  readonly #ready: Turns
  /** Of the ready ones those that begin with what is always taken. */
  readonly #always: Turns
  readonly #watermarks: ChannelWatermarks
  /** While recovered data is worked off. */
  #generations: Generations | undefined
  #parked: readonly Parked<T>[] = []
  readonly #taken: Subject<Announced | Taken<T> | Captured<T>>

  constructor(channels: readonly ReceivingHalf<T>[], restored?: CapturedWatermarks, restoredGenerations?: Generations) {
    const taken = new Subject<Announced | Taken<T> | Captured<T>>()
    super(subscriber => taken.subscribe(subscriber))
    this.#taken = taken
    this.#channels = channels
    this.#unaligned = new Turns(channels.length)
    this.#ready = new Turns(channels.length)
    this.#always = new Turns(channels.length)
    this.#watermarks = new ChannelWatermarks(channels.length, restored)
    this.#generations = restoredGenerations
    channels.forEach((channel, id) => {
      channel.connect(this, id)
      if (this.#isHeld(id)) channel.hold(true)
      this.#changed(id)
    })
  }

  get channels(): number {
    return this.#channels.length
  }

  captureWatermarks(): CapturedWatermarks | undefined {
    return this.#watermarks.capture()
  }

  captureGenerations(): Generations | undefined {
    return this.#generations
  }

  /** Before anything is taken: restored data of a generation that is still to come. */
  park(data: Parked<T>): void {
    this.#parked = [...this.#parked, data]
  }

  captureParked(): readonly Parked<T>[] {
    return this.#parked
  }

  perform(order: GateOrder): void {
    switch (order.kind) {
      case 'block':
      case 'unblock': {
        this.#of(order.channel).blocked = order.kind === 'block'
        return this.#changed(order.channel)
      }
      case 'prioritize':
        this.#of(order.channel).prioritize(order.checkpoint)
        this.#changed(order.channel)
        return this.onArrived()
      case 'keepOrder':
        this.keepsOrder = true
        return
      case 'drop':
        for (const channel of this.#channels) channel.endCapture(order.checkpoint)
        return
      case 'capture': {
        const elements = this.#of(order.channel).capture(order.checkpoint)
        if (elements.length > 0) {
          this.#taken.next({ kind: 'captured', checkpoint: order.checkpoint, channel: order.channel, elements })
        }
      }
    }
  }

  /** The checkpoint has been given up: as if its cancel marker had been taken. */
  cancel(checkpoint: CheckpointId): void {
    this.#emit(this.current, cancel(checkpoint))
  }

  /** Whether `take` would take something. */
  hasFor(takes: Appetite['takes']): boolean {
    return this.#next(takes) !== undefined
  }

  /** An unaligned barrier may be taken. */
  get hasUnaligned(): boolean {
    return this.#unaligned.first !== undefined
  }

  /** All that there is of a generation of recovered data has been taken. */
  get mayPass(): boolean {
    return this.#generations !== undefined && mayPass(this.#generations)
  }

  /** Hands over the generation's marker, and goes on to the next; the task has done all that it has taken. */
  pass(): void {
    const before = this.#generations as Generations
    const next = generations(before, { kind: 'passed' })
    this.#generations = isOver(next) ? undefined : next
    this.#unpark(next.generation)
    for (let channel = 0; channel < this.#channels.length; channel++) this.#holdOrNot(channel)
    this.#emit(this.current, recovered(before.generation))
  }

  /** Takes one element and hands it over; false if none may be taken. */
  take({ recordsMax, takes }: Appetite): boolean {
    const id = this.#next(takes)
    if (id === undefined) return false
    const channel = this.#of(id)
    const overtakes = channel.headIsUnaligned
    const element = channel.take(recordsMax)
    if (!overtakes) {
      this.#ready.remove(id)
      this.#always.remove(id)
    }
    this.#changed(id)
    this.current = id
    this.#handOver(id, element)
    return true
  }

  arrived(id: ChannelId, element: StreamElement<T>): void {
    this.#changed(id)
    if (element.kind === 'barrier' && timeoutMsOf(element) !== undefined) {
      this.#taken.next({ kind: 'announced', channel: id, barrier: element })
    }
    this.onArrived()
  }

  captured(channel: ChannelId, checkpoint: CheckpointId, element: InFlight<T>): void {
    this.#taken.next({ kind: 'captured', checkpoint, channel, elements: [element] })
  }

  #of(id: ChannelId): ReceivingHalf<T> {
    return this.#channels[id] as ReceivingHalf<T>
  }

  #next(takes: Appetite['takes']): ChannelId | undefined {
    const unaligned = this.#unaligned.first
    if (unaligned !== undefined || takes === 'unaligned barriers') return unaligned
    return takes === 'all' ? this.#ready.first : this.#always.first
  }

  /** The channel may have another element first, or be blocked or not. */
  #changed(id: ChannelId): void {
    const { blocked, head, headIsUnaligned } = this.#of(id)
    const ready = !blocked && head !== undefined
    set(this.#unaligned, id, ready && headIsUnaligned)
    // Also behind an unaligned barrier: the channel keeps its turn, or frequent checkpoints would begin all turns anew.
    const inTurn = ready && !this.#isHeld(id)
    set(this.#ready, id, inTurn)
    set(this.#always, id, inTurn && !headIsUnaligned && isAlwaysTaken(head))
  }

  #handOver(channel: ChannelId, element: StreamElement<T>): void {
    switch (element.kind) {
      case 'watermark': {
        const advancedMs = this.#watermarks.advance(channel, element.timeMs)
        if (advancedMs !== undefined) this.#emit(channel, watermark(advancedMs))
        return
      }
      case 'idle':
      case 'active':
        return this.#counted(channel, this.#watermarks.setIdle(channel, element.kind === 'idle'))
      case 'recovered':
        return this.#recovered(channel, element.generation)
      case 'end':
        this.#checkMarkers(channel)
        this.#counted(channel, this.#watermarks.end(channel))
        return this.#emit(channel, element)
      case 'buffer':
        if (this.#watermarks.isIdle(channel)) this.#counted(channel, this.#watermarks.setIdle(channel, false))
        return this.#emit(channel, element)
      default:
        this.#emit(channel, element)
    }
  }

  #recovered(channel: ChannelId, marker: number): void {
    const before = this.#generations
    invariant(before !== undefined, () => 'a marker comes only while recovered data is worked off')
    invariant(before.delivered[channel] === marker, () => `marker ${before.delivered[channel]} is next, not ${marker}`)
    this.#generations = generations(before, { kind: 'marker', channel })
    this.#holdOrNot(channel)
  }

  /** What was restored of this generation comes in front of what has been sent of it. */
  #unpark(generation: number): void {
    for (const parked of this.#parked) {
      if (parked.generation === generation) this.#of(parked.channel).restoreFirst(parked.elements)
    }
    this.#parked = this.#parked.filter(parked => parked.generation !== generation)
  }

  #checkMarkers(channel: ChannelId): void {
    const { count, delivered } = this.#generations ?? { count: 0, delivered: [] }
    invariant((delivered[channel] ?? 0) === count, () => 'a channel ends behind its last marker')
  }

  #holdOrNot(channel: ChannelId): void {
    this.#of(channel).hold(this.#isHeld(channel))
    this.#changed(channel)
  }

  #isHeld(channel: ChannelId): boolean {
    return this.#generations !== undefined && isHeld(this.#generations, channel)
  }

  /** Other channels count from now on, and the task has become idle or active, if anything. */
  #counted(channel: ChannelId, own: 'idle' | 'active' | undefined): void {
    if (own !== undefined) this.#emit(channel, own === 'idle' ? idle : active)
    const advancedMs = this.#watermarks.advanceWithoutIdle()
    if (advancedMs !== undefined) this.#emit(channel, watermark(advancedMs))
  }

  #emit(channel: ChannelId, element: StreamElement<T>): void {
    this.#taken.next({ kind: 'taken', channel, element })
  }
}

const set = (turns: Turns, id: ChannelId, member: boolean): void => (member ? turns.add(id) : turns.remove(id))

const isAlwaysTaken = ({ kind }: StreamElement<unknown>): boolean =>
  kind === 'barrier' || kind === 'cancel' || kind === 'end'
