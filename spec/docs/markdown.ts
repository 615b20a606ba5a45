/** A fenced block of a page. */
export interface Block {
  readonly language: string
  /** Marked `run`: its output is the `text` block behind it, if there is one. */
  readonly run: boolean
  /** Marked with a name: a file of its own, beside the page's module. */
  readonly file: string | undefined
  /** Number of its first line, from 0. */
  readonly begin: number
  readonly lines: readonly string[]
}

export interface Page {
  readonly name: string
  readonly lines: number
  readonly blocks: readonly Block[]
}

export const markdown = (name: string, text: string): Page => {
  const lines = text.split('\n')
  const blocks: Block[] = []
  for (let i = 0; i < lines.length; i++) {
    const fence = /^```(\w+)(.*)$/.exec(lines[i] as string)
    if (fence === null) continue
    const end = lines.indexOf('```', i + 1)
    if (end < 0) throw new Error(`${name}, line ${i + 1}: a block has no end`)
    const [, language = '', marks = ''] = fence
    const mark = marks.trim()
    const file = mark.endsWith('.ts') ? mark : undefined
    blocks.push({ language, run: mark === 'run', file, begin: i + 1, lines: lines.slice(i + 1, end) })
    i = end
  }
  return { name, lines: lines.length, blocks }
}

/** Its `ts` blocks in their lines, all other lines empty; of `run` each block announces itself where its fence was. */
export const moduleOf = (page: Page, kind: 'all' | 'run'): string => {
  const lines = emptyLines(page)
  for (const { language, run, file, begin, lines: code } of page.blocks) {
    if (language !== 'ts' || file !== undefined || (kind === 'run' && !run)) continue
    if (kind === 'run') lines[begin - 1] = `console.log(${JSON.stringify(announced(begin))})`
    lines.splice(begin, code.length, ...code)
  }
  return lines.join('\n')
}

/** The files of its own that it has, each in its lines. */
export const filesOf = (page: Page): readonly { readonly file: string; readonly text: string }[] =>
  page.blocks.flatMap(({ file, begin, lines: code }) => {
    if (file === undefined) return []
    const lines = emptyLines(page)
    lines.splice(begin, code.length, ...code)
    return [{ file, text: lines.join('\n') }]
  })

/** What the `run` module has to print. */
export const printedOf = ({ blocks }: Page): string =>
  blocks
    .flatMap(({ language, run, begin }, i) => {
      if (language !== 'ts' || !run) return []
      const next = blocks[i + 1]
      return [announced(begin), ...(next?.language === 'text' ? next.lines : [])]
    })
    .map(line => `${line}\n`)
    .join('')

/** The same, where a line says `...` with what was printed there instead. */
export const asPrinted = (expected: string, printed: string): string => {
  const lines = printed.split('\n')
  const filledIn = (line: string, printed = '') => {
    const parts = line.split('...').map(part => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    return new RegExp(`^${parts.join('.*')}$`).test(printed) ? printed : line
  }
  return expected
    .split('\n')
    .map((line, i) => filledIn(line, lines[i]))
    .join('\n')
}

const emptyLines = (page: Page): string[] => new Array<string>(page.lines).fill('')

const announced = (begin: number): string => `--- line ${begin}`
