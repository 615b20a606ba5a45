import type { Page } from './markdown.ts'

/** A diagram of a page and the picture it is drawn from. */
export interface Diagram {
  /** Relative to docs/. */
  readonly file: string
  readonly picture: string
}

/** Each image of `pictures/` on the page, and the first picture of the block behind it, which must be one that runs. */
export const diagramsOf = (page: Page, text: string): readonly Diagram[] =>
  text.split('\n').flatMap((line, number) => {
    const file = /^!\[[^\]]+\]\((pictures\/[\w-]+\.svg)\)$/.exec(line)?.[1]
    if (file === undefined) return []
    const block = page.blocks.find(({ begin }) => begin > number)
    const picture = /\bpicture\(\s*`([^`]*)`/.exec(block?.lines.join('\n') ?? '')?.[1]
    if (picture === undefined || block?.run !== true) {
      throw new Error(`${page.name}, line ${number + 1}: no block with a picture that runs follows`)
    }
    return [{ file, picture }]
  })
