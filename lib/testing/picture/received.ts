import type { Buffer } from '../../element.ts'
import { messageOf } from '../../error.ts'
import { shown } from '../../graph/callEach.ts'
import { absurd } from '../../invariant.ts'
import { type OutputElement, wordsOf } from './words.ts'

/** What came out of an output, and when. Buffers come record by record: where one ends is not part of a picture. */
export type Received = { readonly frame: number } & (
  | { readonly kind: 'record'; readonly record: unknown; readonly buffer: Buffer<unknown>; readonly index: number }
  | { readonly kind: 'said'; readonly words: string }
  /** The end element, and the completion with it. */
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly error: unknown }
)

/** Writes down what an output emits. */
export class Recorder {
  readonly received: Received[] = []
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  next(element: OutputElement): void {
    const frame = this.#nowMs()
    if (element.kind === 'buffer') {
      element.records.forEach((record, index) => {
        this.received.push({ frame, kind: 'record', record, buffer: element, index })
      })
    } else this.received.push({ frame, kind: 'said', words: wordsOf(element) })
  }

  error(error: unknown): void {
    this.received.push({ frame: this.#nowMs(), kind: 'error', error })
  }

  complete(): void {
    const frame = this.#nowMs()
    const last = this.received.at(-1)
    const ended = last?.kind === 'said' && last.words === 'end' && last.frame === frame
    if (ended) this.received.pop()
    this.received.push(ended ? { frame, kind: 'end' } : { frame, kind: 'said', words: 'complete' })
  }
}

/** In words, for messages. */
export const wordsOfReceived = (received: Received): string => {
  switch (received.kind) {
    case 'record':
      return shown(received.record)
    case 'said':
      return received.words
    case 'end':
      return 'end'
    case 'error':
      return `the error: ${messageOf(received.error)}`
    default:
      return absurd(received)
  }
}
