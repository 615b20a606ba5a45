import * as Either from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { perCodec } from './perCodec.ts'

/**
 * As `t.readonlyArray`, whose path to each element costs more than most elements: it is found only where one does not decode. What has
 * not been changed by decoding is given back as it is.
 */
export const listType: <V>(codec: t.Type<V, any>) => t.Type<readonly V[], any> = perCodec((codec: t.Type<any, any>) => {
  const list = t.readonlyArray(codec)
  return new t.Type<readonly any[], any>(
    list.name,
    list.is,
    (stored, context) => decodedList(codec, stored, context) ?? list.validate(stored, context),
    list.encode,
  )
}) as any

/** Undefined: something does not decode. */
const decodedList = <V>(
  codec: t.Type<V, any>,
  stored: unknown,
  context: t.Context,
): t.Validation<readonly V[]> | undefined => {
  if (!Array.isArray(stored)) return undefined
  let values: V[] = stored
  for (let i = 0; i < stored.length; i++) {
    const decoded = codec.validate(stored[i], context)
    if (Either.isLeft(decoded)) return undefined
    if (decoded.right === stored[i]) continue
    if (values === stored) values = stored.slice()
    values[i] = decoded.right
  }
  return t.success(values)
}
