import type { ExpectedName } from './names.ts'
import { notationError, type Place } from './notationError.ts'

/** One character of a lane that stands for something. */
export interface Mark {
  readonly frame: number
  readonly mark: string
  readonly place: Place
}

/** The contents of one line: what stands behind its name, or behind `&`. */
export interface Row {
  readonly text: string
  /** Where the text begins. */
  readonly place: Place
}

export interface DrawnLane {
  readonly name: string
  readonly rows: readonly Row[]
  /** By frame; those of one frame from the upper row to the lower. */
  readonly marks: readonly Mark[]
}

/** A picture as it is written. */
export interface Drawing {
  /** Input lanes, `task` among them, in order. */
  readonly inputs: readonly DrawnLane[]
  readonly out: DrawnLane | undefined
  /** Rows of text by name. */
  readonly texts: ReadonlyMap<Exclude<ExpectedName, 'out'>, readonly Row[]>
  /** What letters stand for, in words. */
  readonly legend: ReadonlyMap<string, Row>
  /** All lines in order, each with its name or `&`. */
  readonly lines: readonly (Row & { readonly name: string })[]
  /** Columns of the longest lane. */
  readonly width: number
}

/** Takes a picture's text apart; what the marks stand for is not looked at. */
export const readDrawing = (text: string): Drawing => {
  const lines = text
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(readLine)
  const blocks: { readonly name: string; readonly rows: Row[] }[] = []
  for (const { name, ...row } of lines) {
    const last = blocks.at(-1)
    if (name !== '&') blocks.push({ name, rows: [row] })
    else if (last === undefined || isLegend(last.name)) throw notationError('`&` stands under no lane.', nameOf(row))
    else last.rows.push(row)
  }
  const twice = blocks.find(({ name }, i) => blocks.findIndex(other => other.name === name) < i)
  if (twice !== undefined) throw notationError(`\`${twice.name}\` stands twice.`, nameOf(twice.rows[0] as Row))

  const drawn = blocks.filter(({ name }) => !isLegend(name) && !isText(name))
  checkColumns(drawn.flatMap(({ rows }) => rows))
  const lanes = drawn.map(({ name, rows }) => readLane(name, rows))
  return {
    inputs: lanes.filter(({ name }) => name !== 'out'),
    out: lanes.find(({ name }) => name === 'out'),
    texts: new Map(blocks.flatMap(({ name, rows }) => (isText(name) ? [[name, rows]] : []))),
    legend: new Map(blocks.flatMap(({ name, rows }) => (isLegend(name) ? [[name, rows[0] as Row]] : []))),
    lines,
    width: Math.max(0, ...lanes.flatMap(({ rows }) => rows.map(row => row.text.length))),
  }
}

/** The marks of a lane and of the `&` rows below it. */
export const readLane = (name: string, rows: readonly Row[]): DrawnLane => {
  const above = new Set<number>()
  const marks: Mark[] = []
  rows.forEach(({ text, place }, number) => {
    const here: Mark[] = []
    ;[...text].forEach((mark, frame) => {
      const at = { line: place.line, column: place.column + frame }
      if (mark === ' ')
        throw notationError('blanks stand only before a lane; `-` is a frame in which nothing comes.', at)
      if (mark === '-') return
      if (number > 0 && !above.has(frame)) throw notationError('nothing stands above it in this column.', at)
      here.push({ frame, mark, place: at })
    })
    above.clear()
    for (const { frame } of here) above.add(frame)
    marks.push(...here)
  })
  return { name, rows, marks: marks.sort((a, b) => a.frame - b.frame) }
}

/** The rows of a lane that is written by itself; the lower ones come at the same time. */
export const readRows = (text: string): readonly Row[] => {
  const rows = text.split('\n').flatMap(line => {
    const trimmed = line.trim()
    return trimmed === '' ? [] : [{ text: trimmed, place: { line, column: line.indexOf(trimmed) } }]
  })
  checkColumns(rows)
  return rows
}

const readLine = (line: string): Row & { readonly name: string } => {
  const [, before = '', name = '', gap = '', text = ''] = /^(\s*)(\S+)(\s*)(.*?)\s*$/.exec(line) ?? []
  const column = before.length
  if (name !== '&' && !/^[A-Za-z][A-Za-z0-9]*$/.test(name)) {
    throw notationError(`\`${name}\` is no name of a lane: a letter, then letters and digits.`, { line, column })
  }
  if (text === '') throw notationError(`nothing stands behind \`${name}\`.`, { line, column })
  return { name, text, place: { line, column: column + name.length + gap.length } }
}

const checkColumns = (rows: readonly Row[]): void => {
  const column = rows[0]?.place.column
  const uneven = rows.find(({ place }) => place.column !== column)
  if (uneven !== undefined) throw notationError('it does not begin in the column of the lanes above.', uneven.place)
}

/** A lane's name is a capital letter or longer, so that one small letter is free to stand for an element. */
const isLegend = (name: string): boolean => /^[a-z]$/.test(name)

const isText = (name: string): name is Exclude<ExpectedName, 'out'> => name === 'captured' || name === 'effects'

/** Where the name of the row stands. */
export const nameOf = ({ place: { line } }: Row): Place => ({ line, column: line.length - line.trimStart().length })
