import type { Awaiting, Rest } from './task.ts'

/**
 * What the operators of a task have still to do with elements that they have taken: what is suspended, and what waits for
 * something outside the task. What is nearest to the output goes on first, and nothing behind which an operator is full.
 */
export class Unfinished {
  /** Nearest to the output first. */
  readonly #rests: Rest[] = []
  readonly #awaiting: Awaiting[] = []

  suspend(rest: Rest): void {
    insert(this.#rests, rest)
  }

  awaits(operator: Awaiting): void {
    insert(this.#awaiting, operator)
  }

  get suspended(): boolean {
    return this.#rests.length > 0
  }

  /** All that has been taken is done. */
  get done(): boolean {
    return this.#rests.length === 0 && this.#awaiting.every(({ idle }) => idle)
  }

  /** No more data may be taken. */
  get full(): boolean {
    return this.#awaiting.some(({ full }) => full)
  }

  /** Something could go on, if the output were free. */
  get ready(): boolean {
    return this.#nearest() !== undefined
  }

  /** Nothing nearer to the output than `position` is suspended or full. */
  nothingNearer(position: number): boolean {
    const [rest] = this.#rests
    return (rest === undefined || rest.position <= position) && !this.#fullBehind(position)
  }

  /** Lets what is nearest to the output go on, if anything can. */
  goOn(): void {
    const nearest = this.#nearest()
    if (nearest === undefined) return
    if (nearest !== this.#rests[0]) return (nearest as Awaiting).goOn()
    this.#rests.shift()
    ;(nearest as Rest).resume()
  }

  #nearest(): Rest | Awaiting | undefined {
    const [rest] = this.#rests
    const operator = this.#awaiting.find(({ ready }) => ready)
    const nearest = rest === undefined || (operator?.position ?? 0) > rest.position ? operator : rest
    return nearest === undefined || this.#fullBehind(nearest.position) ? undefined : nearest
  }

  #fullBehind(position: number): boolean {
    return this.#awaiting.some(operator => operator.full && operator.position > position)
  }
}

const insert = <T extends { readonly position: number }>(into: T[], added: T): void => {
  const behind = into.findIndex(other => other.position < added.position)
  into.splice(behind < 0 ? into.length : behind, 0, added)
}
