import type { Observable } from 'rxjs'
import { expectedCaptured } from './captured.ts'
import { type Difference, laneDifference, textDifference } from './difference.ts'
import { readDrawing } from './drawing.ts'
import { expectedEffects } from './effects.ts'
import { expectedOf } from './expected.ts'
import { failure } from './failure.ts'
import { readLegend } from './legend.ts'
import type { LaneName, Lanes } from './names.ts'
import { type Body, outcomeOf } from './outcome.ts'
import type { OutputElement } from './words.ts'

/**
 * Checks that what the body makes of a picture's input lanes is what the picture shows. The notation: docs/notation.md.
 *
 * The body is given the lanes by name and returns the output, which is subscribed to at frame 0 of virtual time. Compared
 * are `out`, `captured` (without it nothing may be captured) and, if it stands there, `effects`.
 *
 * @throws an error whose text shows all lanes, what was expected and received, and the first difference
 */
export const picture = <const Text extends string>(
  text: Text,
  body: (lanes: Lanes<LaneName<Text>>) => Observable<OutputElement>,
): void => {
  const drawing = readDrawing(text)
  const { out, lines } = drawing
  if (out === undefined) throw new Error('The picture cannot be read: it has no lane `out`.')
  const legend = readLegend(drawing)
  const expectedOut = expectedOf(out, legend)
  const { received, captured, effects, channels } = outcomeOf(drawing, { legend, body: body as Body })

  const check = (row: string, difference: Difference | undefined) => {
    if (difference !== undefined) throw failure(row, { lines, difference, received })
  }
  check('out', laneDifference(expectedOut, received, legend))
  const inFlight = expectedCaptured(drawing.texts.get('captured') ?? [], { lanes: channels, legend })
  check('captured', textDifference({ expected: inFlight, received: captured(), numbered: 'checkpoint' }))
  const rows = drawing.texts.get('effects')
  if (rows === undefined) return
  check('effects', textDifference({ expected: expectedEffects(rows), received: effects(rows), numbered: 'frame' }))
}
