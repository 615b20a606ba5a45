import { messageOf } from '../../error.ts'

/**
 * A claim that an operator, source, sink or store must keep, for any test framework:
 *
 *     for (const { title, check } of operatorLaws('map', () => map(f), inputs)) test(title, check)
 */
export interface Law {
  /** A claim in the present tense. */
  readonly title: string
  /** Throws an Error that says law, position, expected and received, if the claim does not hold. */
  check(): void | Promise<void>
}

/** The laws of a table by their titles; what a check throws names its law. */
export const lawsOf = <S>(
  name: string,
  laws: Readonly<Record<string, (subject: S) => void | Promise<void>>>,
  subject: () => S | Promise<S>,
): readonly Law[] =>
  Object.entries(laws).map(([claim, law]) => {
    const title = `${name}: ${claim}`
    return {
      title,
      async check() {
        try {
          await law(await subject())
        } catch (error) {
          throw new Error(`It does not hold that of ${title}. ${messageOf(error)}`, { cause: error })
        }
      },
    }
  })
