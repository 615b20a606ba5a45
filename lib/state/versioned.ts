import * as Either from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { messageOf, SpillwayError } from '../error.ts'

/** What a state's codec was, and what its values have become in the next version. */
export interface Migration<A = any, B = any> {
  readonly codec: t.Type<A, any>
  /** Pure. */
  readonly migrate: (value: A) => B
}

export interface VersionedOptions<A, O> {
  /** Of what `codec` writes; a whole number of at least 1. */
  readonly version: number
  readonly codec: t.Type<A, O>
  /** By the version that each begins with; none may be missing between the oldest and `version`. */
  readonly migrations: Readonly<Record<number, Migration>>
}

/**
 * A codec that also reads what older versions of it have written: a value goes through the migrations from its version on, one
 * after the other. Values are written with their version; those of version 1 as they are, so that a plain codec's are of version 1.
 *
 * For state, positions of sources and transactions of sinks, also within other codecs.
 *
 * @throws INVALID_OPTION
 */
export const versioned = <A, O>(options: VersionedOptions<A, O>): t.Type<A, unknown> => {
  checkVersions(options)
  return new Versioned(options)
}

/** A value as it is stored, of a version above 1: no user would name a field like this. */
const versionField = '(version)'
type Tagged = { readonly [versionField]: number; readonly value: unknown }

class Versioned<A> extends t.Type<A, unknown> {
  readonly version: number
  /** That can be read, ascending. */
  readonly known: readonly number[]

  constructor({ version, codec, migrations }: VersionedOptions<A, any>) {
    const known = [...versionsOf(migrations), version]
    super(
      `version ${version} of ${codec.name}`,
      codec.is,
      (stored, context) => {
        const { found, value } = untagged(stored)
        if (!known.includes(found)) return t.failure(stored, context, unknownText({ found, known }))
        return migrated(value, { from: found, to: version, codec, migrations, context })
      },
      version === 1 ? codec.encode : value => ({ [versionField]: version, value: codec.encode(value) }),
    )
    this.version = version
    this.known = known
  }
}

interface Migrating<A> {
  readonly from: number
  readonly to: number
  readonly codec: t.Type<A, any>
  readonly migrations: VersionedOptions<A, any>['migrations']
  readonly context: t.Context
}

const migrated = <A>(stored: unknown, { from, to, codec, migrations, context }: Migrating<A>): t.Validation<A> => {
  if (from === to) return codec.validate(stored, context)
  const oldest = (migrations[from] as Migration).codec.validate(stored, context)
  if (Either.isLeft(oldest)) return oldest
  let value: unknown = oldest.right
  for (let version = from; version < to; version++) {
    try {
      value = (migrations[version] as Migration).migrate(value)
    } catch (error) {
      return t.failure(stored, context, `its migration from version ${version} has failed: ${messageOf(error)}`)
    }
  }
  return codec.is(value)
    ? t.success(value)
    : t.failure(value, context, `what its migrations from version ${from} gave is no ${codec.name}`)
}

/** The version that a stored value says it is of. */
export const versionIn = (stored: unknown): number => untagged(stored).found

/** The version that a codec writes. */
export const versionOf = (codec: t.Type<any, any>): number => (codec instanceof Versioned ? codec.version : 1)

export interface UnknownVersion {
  readonly found: number
  readonly known: readonly number[]
}

/** That a codec does not know the version of a value, if that is why it has refused it. */
export const unknownVersion = (
  codec: t.Type<any, any>,
  stored: unknown,
  errors: t.Errors,
): UnknownVersion | undefined => {
  for (const { context, value, message } of errors) {
    const type = context.at(-1)?.type
    if (!(type instanceof Versioned)) continue
    const unknown = { found: versionIn(value), known: type.known }
    if (message === unknownText(unknown)) return unknown
  }
  return unknownToPlain(codec, stored)
}

/** A codec without versions might accept a value of a later one as something else. */
export const unknownToPlain = (codec: t.Type<any, any>, stored: unknown): UnknownVersion | undefined =>
  isTagged(stored) && !(codec instanceof Versioned) ? { found: stored[versionField], known: [1] } : undefined

const unknownText = ({ found, known }: UnknownVersion): string =>
  `it is of version ${found}, and known are ${known.join(', ')}`

const untagged = (stored: unknown): { readonly found: number; readonly value: unknown } =>
  isTagged(stored) ? { found: stored[versionField], value: stored.value } : { found: 1, value: stored }

const isTagged = (stored: unknown): stored is Tagged =>
  typeof stored === 'object' && stored !== null && Object.hasOwn(stored, versionField)

const versionsOf = (migrations: VersionedOptions<any, any>['migrations']): readonly number[] =>
  Object.keys(migrations)
    .map(Number)
    .sort((a, b) => a - b)

const checkVersions = ({ version, migrations }: VersionedOptions<any, any>): void => {
  const known = versionsOf(migrations)
  const expected = known.map((_, i) => version - known.length + i)
  const problem =
    !Number.isSafeInteger(version) || version < 1
      ? `version: expected a whole number of at least 1, found ${version}`
      : known.some((of, i) => of !== expected[i] || of < 1)
        ? `migrations: expected one from each version up to ${version - 1}, without a gap, found ${known.join(', ')}`
        : undefined
  if (problem === undefined) return
  throw new SpillwayError('INVALID_OPTION', {
    place: 'versioned',
    problem: `${problem}.`,
    remedy: 'Give versioned({ version: 2, codec, migrations: { 1: { codec: before, migrate } } }), or the like.',
  })
}
