import type { ReceivingHalf } from '../channel/channel.ts'
import {
  type DebloatOptions,
  debloated,
  initialDebloat,
  initialThroughput,
  type ThroughputEvent,
  throughput,
} from '../channel/debloat.ts'

/** What is known of an input of a task whose buffers are debloated. */
export interface InputMetrics {
  /** Records that a buffer is to have at the most. */
  readonly bufferRecords: number
  /** While there was something to take. */
  readonly recordsPerSecond: number
  /** In which what is in its channels will have been taken. */
  readonly estimatedMs: number
}

/** Sizes the buffers of one input of a task: measures how fast it is, and tells its channels. */
export class Debloater {
  readonly #channels: readonly ReceivingHalf<unknown>[]
  readonly #sizeMax: number
  #size: ReturnType<typeof initialDebloat>
  #throughput = initialThroughput

  constructor(
    channels: readonly ReceivingHalf<unknown>[],
    { bufferRecordsMax }: { readonly bufferRecordsMax: number },
  ) {
    this.#channels = channels
    this.#sizeMax = bufferRecordsMax
    this.#size = initialDebloat(bufferRecordsMax)
  }

  happened(event: ThroughputEvent, nowMs: number): void {
    this.#throughput = throughput(this.#throughput, event, nowMs)
  }

  measure(options: Omit<DebloatOptions, 'maxSize'>, nowMs: number): void {
    this.happened({ kind: 'measured' }, nowMs)
    const measured = { throughput: this.#throughput.lastMeasured, buffersInUse: this.#buffersInUse() }
    const [size, announced] = debloated(this.#size, measured, { ...options, maxSize: this.#sizeMax })
    this.#size = size
    if (announced !== undefined) this.#announce(announced)
  }

  /** Buffers may have any size again. */
  stop(): void {
    this.#announce(Number.POSITIVE_INFINITY)
  }

  get metrics(): InputMetrics {
    const bufferRecords = this.#size.announcedSize
    const recordsPerSecond = this.#throughput.lastMeasured
    const estimatedMs = (bufferRecords * this.#buffersInUse() * 1000) / Math.max(1, recordsPerSecond)
    return { bufferRecords, recordsPerSecond, estimatedMs }
  }

  #buffersInUse(): number {
    return this.#channels.reduce((sum, { inUse }) => sum + inUse, 0)
  }

  #announce(bufferRecordsMax: number): void {
    for (const channel of this.#channels) channel.announce(bufferRecordsMax)
  }
}
