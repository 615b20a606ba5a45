import type * as t from 'io-ts'

/**
 * A codec that is made of another one, made once for all that ask for it: an operator's tasks, thousands of them, give the same codec,
 * and each that io-ts makes takes about a kilobyte.
 */
export const perCodec = <A, B>(
  make: (codec: t.Type<A, any>) => t.Type<B, any>,
): ((codec: t.Type<A, any>) => t.Type<B, any>) => {
  const made = new WeakMap<t.Type<A, any>, t.Type<B, any>>()
  return codec => {
    const known = made.get(codec)
    if (known !== undefined) return known
    const of = make(codec)
    made.set(codec, of)
    return of
  }
}
