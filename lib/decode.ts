import * as Either from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { type ErrorCode, SpillwayError } from './error.ts'

/** Where a value came from, and what its user can do if it does not fit. */
export interface Border {
  readonly place: string
  readonly remedy: string
  readonly code: ErrorCode
}

/**
 * The value as its codec decodes it.
 *
 * @throws the border's code, naming the place, the path, what was expected and what was found.
 */
export function decode<A>(codec: t.Decoder<unknown, A>, value: unknown, border: Border): A {
  const decoded = codec.decode(value)
  if (Either.isRight(decoded)) return decoded.right
  throw new SpillwayError(border.code, {
    place: border.place,
    problem: `${mismatch(decoded.left)}.`,
    remedy: border.remedy,
  })
}

/** What did not fit, such as `legs[2].delayMin: expected number, found "late"`; the only place where io-ts errors become text. */
export function mismatch(errors: t.Errors): string {
  const texts: string[] = []
  const said = new Set<string>()
  for (const [i, error] of errors.entries()) {
    const text = one(error)
    if (said.has(text)) continue
    said.add(text)
    const before = errors[i - 1]
    texts.push(before === undefined ? text : `${areAlternatives(before, error) ? ' or ' : '; '}${text}`)
  }
  const left = texts.length - listedMax
  return texts.slice(0, listedMax).join('') + (left > 0 ? `; and ${left} more` : '')
}

/** A value as messages show it: JSON, at most 60 characters. */
function found(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return shortened(JSON.stringify(value.slice(0, foundMax)), value.length > foundMax)
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  try {
    return shortened(JSON.stringify(value) ?? String(value))
  } catch {
    return shortened(String(value))
  }
}

const listedMax = 4
const foundMax = 60
const expectedMax = 120

function one({ context, message, value }: t.ValidationError): string {
  const { path, outermost } = located(context)
  const tag = unknownTag(outermost, value)
  const at = tag === undefined ? path : path + step(tag.key, value)
  const problem =
    message ??
    (tag === undefined
      ? `expected ${shortened(outermost?.type.name ?? 'something else', false, expectedMax)}, found ${found(value)}`
      : `expected ${tag.expected}, found ${found(tag.value)}`)
  return at === '' ? problem : `${at.replace(/^\./, '')}: ${problem}`
}

/**
 * The path to the value, and the outermost codec that was asked about it: for `4` in an array of `string | null` the
 * union, not its members.
 */
function located(context: t.Context): { path: string; outermost: t.ContextEntry | undefined } {
  let path = ''
  let outermost = context[0]
  for (let i = 1; i < context.length; i++) {
    const entry = context[i]!
    const parent = context[i - 1]!
    if (isMember(entry, parent)) continue
    path += step(entry.key, parent.actual)
    outermost = entry
  }
  return { path, outermost }
}

/** A member of a union or an intersection is asked about the same value; its key is no step of the path. */
const isMember = (entry: t.ContextEntry, parent: t.ContextEntry): boolean => Object.is(entry.actual, parent.actual)

const step = (key: string, of: unknown): string => {
  if (Array.isArray(of)) return `[${key}]`
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

/** Two errors of different members of one union: the value needed to satisfy either. */
function areAlternatives(a: t.ValidationError, b: t.ValidationError): boolean {
  let i = 0
  while (i < a.context.length && a.context[i]?.key === b.context[i]?.key) i++
  const parent = a.context[i - 1]
  return parent !== undefined && unwrapped(parent.type)._tag === 'UnionType'
}

/** Of a tagged union whose tag fits no member, io-ts says only that the whole does not fit. */
function unknownTag(
  entry: t.ContextEntry | undefined,
  value: unknown,
): { key: string; expected: string; value: unknown } | undefined {
  const { _tag, tag, types } = unwrapped(entry?.type)
  if (_tag !== 'UnionType' || tag === undefined || !isRecord(value)) return undefined
  const names = (types ?? []).map(type => unwrapped(type).props?.[tag]?.name)
  if (names.includes(undefined)) return undefined
  return { key: tag, expected: shortened(names.join(' | '), false, expectedMax), value: value[tag] }
}

/** What is known of io-ts's classes at run time. */
interface Reflected {
  readonly _tag?: string
  readonly tag?: string
  readonly type?: unknown
  readonly types?: readonly unknown[]
  readonly props?: Readonly<Record<string, { readonly name: string }>>
}

function unwrapped(type: unknown): Reflected {
  let reflected = (type ?? {}) as Reflected
  while (reflected._tag !== undefined && wrappers.has(reflected._tag)) reflected = reflected.type as Reflected
  return reflected
}

const wrappers = new Set(['ExactType', 'ReadonlyType', 'RefinementType', 'RecursiveType'])

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const shortened = (text: string, isCut = false, max = foundMax): string =>
  text.length > max || isCut ? `${text.slice(0, max)}…` : text
