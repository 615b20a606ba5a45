import { type Drawing, type DrawnLane, type Row, readDrawing } from './drawing.ts'
import { readEffects } from './effects.ts'
import { type Box, line, markShape, styled, text } from './shapes.ts'

/**
 * The diagram of a picture, for pages of documentation: a lane a row, taken elements and blocked spans marked, in-flight
 * data below. An SVG of its own, for light and dark backgrounds.
 *
 * @throws an error of notation, if the picture cannot be read
 */
export const svg = (picture: string): string => {
  const drawing = readDrawing(picture)
  const left = 24 + letterPx * Math.max(...drawing.lines.map(({ name }) => name.length))
  const place: Placing = {
    drawing,
    x: frame => left + columnPx * (frame + 0.5),
    right: left + columnPx * drawing.width,
  }
  const shapes: string[] = []
  let right = place.right
  let y = scalePx
  for (const lane of [...drawing.inputs, ...(drawing.out === undefined ? [] : [drawing.out])]) {
    shapes.push(...laneShapes(lane, { ...place, y: y + rowPx / 2 }))
    y += rowPx + andPx * (lane.rows.length - 1)
  }
  shapes.unshift(...scale(place, y))
  for (const [i, row] of (drawing.texts.get('captured') ?? []).entries()) {
    const captured = capturedShapes(row, { ...place, y: y + rowPx / 2, first: i === 0 })
    shapes.push(...captured.shapes)
    right = Math.max(right, captured.right)
    y += rowPx
  }
  for (const [letter, { text: words }] of drawing.legend) {
    shapes.push(markShape({ mark: letter, words }, { x: place.x(0), y: y + legendPx / 2 }, ''))
    shapes.push(text({ kind: 'words', of: words, at: { x: place.x(0) + 20, y: y + legendPx / 2 } }))
    right = Math.max(right, place.x(0) + 20 + letterPx * words.length)
    y += legendPx
  }
  return styled(shapes, { picture, widthPx: Math.ceil(right + 16), heightPx: y + 8 })
}

interface Placing {
  readonly drawing: Drawing
  readonly x: (frame: number) => number
  /** Where the lanes end. */
  readonly right: number
}

const columnPx = 28
const rowPx = 42
const andPx = 30
const legendPx = 34
const scalePx = 20
const letterPx = 8

/** Every fifth frame. */
const scale = ({ drawing, x }: Placing, bottom: number): readonly string[] => {
  const shapes: string[] = []
  for (let frame = 0; frame < drawing.width; frame += 5) {
    shapes.push(line({ kind: 'scale', from: { x: x(frame), y: scalePx }, to: { x: x(frame), y: bottom } }))
    shapes.push(text({ kind: 'frame', of: String(frame), at: { x: x(frame), y: 11 } }))
  }
  return shapes
}

const laneShapes = (lane: DrawnLane, at: Placing & { readonly y: number }): readonly string[] => {
  const { drawing, x, y, right } = at
  const ended = lane.marks.find(({ mark }) => mark === '|' || mark === '#')
  const until = ended === undefined ? right : x(ended.frame)
  const shapes = [text({ kind: lane.name === 'out' ? 'name out' : 'name', of: lane.name, at: { x: 8, y } })]
  for (const [begin, end] of blockedSpans(lane.name, drawing)) {
    shapes.push(line({ kind: 'blocked', from: { x: x(begin), y }, to: { x: end === undefined ? right : x(end), y } }))
  }
  if (lane.name !== 'task')
    shapes.push(line({ kind: 'lane', from: { x: x(0) - columnPx / 2, y }, to: { x: until, y } }))
  const heights = new Map<number, number>()
  for (const { frame, mark } of lane.marks) {
    const height = heights.get(frame) ?? 0
    heights.set(frame, height + 1)
    const words = drawing.legend.get(mark)?.text
    shapes.push(markShape({ mark, words }, { x: x(frame), y: y + andPx * height }, colorOf(mark, drawing)))
  }
  return shapes
}

/** `1: A(abc) B(x)`: the checkpoint, then the records of each lane together. */
const capturedShapes = (
  row: Row,
  { drawing, x, y, first }: Placing & { readonly y: number; readonly first: boolean },
): { readonly shapes: readonly string[]; readonly right: number } => {
  const [checkpoint = '', lanes = ''] = row.text.split(':')
  const shapes = [markShape({ mark: checkpoint.trim(), words: undefined }, { x: x(0), y }, '')]
  if (first) shapes.push(text({ kind: 'name', of: 'captured', at: { x: 8, y } }))
  let at = x(0) + 24
  for (const [, lane = '', marks = ''] of lanes.matchAll(/(\w+)\(([^)]*)\)/g)) {
    shapes.push(text({ kind: 'name', of: lane, at: { x: at, y } }))
    at += letterPx * lane.length + 8
    const all = [...marks]
    const box: Box = { x: at, y: y - 14, widthPx: 24 * all.length + 6, heightPx: 28 }
    shapes.push(
      `<rect class="captured" x="${box.x}" y="${box.y}" width="${box.widthPx}" height="${box.heightPx}" rx="14"/>`,
    )
    all.forEach((mark, i) => {
      const words = drawing.legend.get(mark)?.text
      shapes.push(markShape({ mark, words }, { x: at + 15 + 24 * i, y }, colorOf(mark, drawing)))
    })
    at += box.widthPx + 16
  }
  return { shapes, right: at - 16 }
}

/** From each `block` of the lane in `effects` to its `unblock`. */
const blockedSpans = (
  lane: string,
  { texts }: Drawing,
): readonly (readonly [begin: number, end: number | undefined])[] => {
  const spans: (readonly [number, number | undefined])[] = []
  for (const [frame, effects] of readEffects(texts.get('effects') ?? [])) {
    if (effects.includes(`block ${lane}`)) spans.push([frame, undefined])
    const last = spans.at(-1)
    if (last !== undefined && effects.includes(`unblock ${lane}`)) spans[spans.length - 1] = [last[0], frame]
  }
  return spans
}

/** A record has the colour of the lane that brings it. */
const colorOf = (mark: string, { inputs }: Drawing): string => {
  const lane = inputs.filter(({ name }) => name !== 'task').findIndex(({ marks }) => marks.some(of => of.mark === mark))
  return lane < 0 ? '' : `from${lane % 4}`
}
