/** First in, first out, whatever the length: an array moves all its members at each `shift`. */
export class Line<A> {
  #members: A[] = []
  /** Before it everything has been taken. */
  #first = 0

  get length(): number {
    return this.#members.length - this.#first
  }

  push(member: A): void {
    this.#members.push(member)
  }

  /** The one that is so many behind the first. */
  take(at = 0): A {
    const member = this.#members[this.#first + at] as A
    if (at > 0) this.#members.splice(this.#first + at, 1)
    else if (++this.#first * 2 > this.#members.length) {
      this.#members.splice(0, this.#first)
      this.#first = 0
    }
    return member
  }

  clear(): void {
    this.#members = []
    this.#first = 0
  }
}
