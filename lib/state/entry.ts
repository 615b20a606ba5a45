import type { Key } from '../element.ts'

/** The value of a key that the table does not have; `undefined` is a value like any other. */
export const ABSENT: unique symbol = Symbol('absent')

/**
 * The type comes first, as V8 compares with an imported symbol by a call. Looking at it reads the value from memory: in a loop over many
 * cold ones the processor reads several at a time.
 */
export const isThere = <V>(value: V | typeof ABSENT): value is V => typeof value !== 'symbol' || value !== ABSENT

/** A key's place in a table, from its creation to its removal. Only the table changes it. */
export class Entry<V> {
  readonly key: Key
  readonly group: number
  value: V | typeof ABSENT = ABSENT
  /** A capture sees the value if its number is not below this. */
  epoch: number
  /** The value before, in the table's `Versions`; means something only to captures whose number is below `epoch`. */
  older = noVersion
  /** Where it stands in its group's list; as `~at` once it is removed; `nowhere` when no list has it any more. */
  at = nowhere
  /** Where it stands among the changes of the call that has changed it last. */
  change = 0
  /** The first capture that sees the entry. */
  readonly since: number

  constructor(key: Key, group: number, epoch: number) {
    this.key = key
    this.group = group
    this.epoch = epoch
    this.since = epoch
  }
}

export const noVersion = -1
/** Below every `~at`: V8's arrays and Maps are smaller. */
export const nowhere = -(2 ** 30)
