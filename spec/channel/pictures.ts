import {
  active,
  barrier,
  buffer,
  cancel,
  end,
  idle,
  recovered,
  type StreamElement,
  watermark,
} from '../../lib/element.ts'
import { absurd } from '../../lib/invariant.ts'

/**
 * One element as text: `a` a record, `ab` two in one buffer, `<1>` an aligned barrier, `<1!>` an unaligned one, `<1s>` a
 * savepoint's (which says that it is unaligned, but is not), `w5` a watermark, `x1` a cancel marker, `idle`, `active`, `^0` the marker of a
 * generation of recovered data, `|` the end.
 */
export const element = (picture: string): StreamElement<string> => {
  const number = Number(/\d+/.exec(picture)?.[0])
  if (picture.startsWith('<')) {
    return barrier(number, {
      alignment: /[!s]>$/.test(picture) ? 'unaligned' : 'aligned',
      savepoint: picture.endsWith('s>'),
    })
  }
  if (/^w\d/.test(picture)) return watermark(number)
  if (/^x\d/.test(picture)) return cancel(number)
  if (/^\^\d/.test(picture)) return recovered(number)
  if (picture === 'idle') return idle
  if (picture === 'active') return active
  return picture === '|' ? end : buffer([...picture])
}

/** Several, with blanks between them. */
export const elements = (pictures: string): readonly StreamElement<string>[] =>
  pictures.split(' ').filter(Boolean).map(element)

export const picture = (of: StreamElement<string>): string => {
  switch (of.kind) {
    case 'barrier':
      return `<${of.checkpoint}${of.savepoint ? 's' : of.alignment === 'unaligned' ? '!' : ''}>`
    case 'watermark':
      return `w${of.timeMs}`
    case 'cancel':
      return `x${of.checkpoint}`
    case 'end':
      return '|'
    case 'buffer':
      return of.records.join('')
    case 'idle':
    case 'active':
    case 'side':
    case 'splits':
      return of.kind
    case 'recovered':
      return `^${of.generation}`
    default:
      return absurd(of)
  }
}

/**
 * Carries out lines such as `push a <1>` by the command of that name, and gives them back with what came of each:
 * `take -> a`. `said` collects it.
 */
export const transcript = (
  lines: readonly string[],
  { said, commands }: { said: string[]; commands: Readonly<Record<string, (argument: string) => void>> },
): readonly string[] =>
  lines.map(line => {
    const command = line.split(' ->')[0] as string
    const [name, ...rest] = command.split(' ')
    const carryOut = commands[name as string]
    if (carryOut === undefined) throw new Error(`no command: ${line}`)
    said.length = 0
    carryOut(rest.join(' '))
    return said.length === 0 ? command : `${command} -> ${said.join(' ')}`
  })
