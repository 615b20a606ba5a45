/** The parts of which diagrams are made, as SVG; what they look like is said in one style sheet. */
export interface Point {
  readonly x: number
  readonly y: number
}

export interface Box extends Point {
  readonly widthPx: number
  readonly heightPx: number
}

/** A mark of a lane in its middle; `words` is what the legend says of it. */
export const markShape = (
  { mark, words }: { readonly mark: string; readonly words: string | undefined },
  at: Point,
  color: string,
): string => {
  const { x, y } = at
  switch (mark) {
    case '|':
      return line({ kind: 'end', from: { x, y: y - 12 }, to: { x, y: y + 12 } })
    case '#':
      return `<path class="failure" d="M${x - 7} ${y - 7}l14 14m0 -14l-14 14"/>`
    case '+':
      return `<path class="taken" d="M${x} ${y - 8}v14m-5 -5l5 5l5 -5"/>`
    case '~':
      return `<path class="taken" d="M${x} ${y - 8}v10m-5 -5l5 5l5 -5m-11 5h12"/>`
  }
  const letter = text({ kind: 'mark', of: mark, at })
  const said = words?.split(' ')
  if (/^\d+$/.test(mark) || said?.[0] === 'barrier' || said?.[0] === 'begin') {
    const kind = said?.includes('unaligned') ? 'barrier unaligned' : 'barrier'
    return `<rect class="${kind}" x="${x - 9}" y="${y - 14}" width="18" height="28" rx="4"/>${letter}`
  }
  if (said !== undefined && said[0] !== 'records') {
    return `<path class="named" d="M${x} ${y - 13}l13 13l-13 13l-13 -13z"/>${letter}`
  }
  return `<circle class="${`record ${color}`.trim()}" cx="${x}" cy="${y}" r="11"/>${letter}`
}

export const line = ({ kind, from, to }: { kind: string; from: Point; to: Point }): string =>
  `<line class="${kind}" x1="${from.x}" y1="${from.y}" x2="${to.x}" y2="${to.y}"/>`

export const text = ({ kind, of, at }: { kind: string; of: string; at: Point }): string =>
  `<text class="${kind}" x="${at.x}" y="${at.y}" dy=".35em">${escaped(of)}</text>`

/** The whole diagram; its title is the picture's text. */
export const styled = (
  shapes: readonly string[],
  { picture, widthPx, heightPx }: { picture: string; widthPx: number; heightPx: number },
): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${widthPx}" height="${heightPx}" viewBox="0 0 ${widthPx} ${heightPx}">`,
    `<title>${escaped(dedented(picture))}</title>`,
    `<style>${style}</style>`,
    ...shapes,
    '</svg>\n',
  ].join('\n')

/** Colours that read on white and on black; what would not is given twice. */
const style = `
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #24292f }
.mark { font-weight: 600; fill: #fff; text-anchor: middle }
.frame { font-size: 10px; fill: #8b949e; text-anchor: middle }
.name { fill: #57606a }
.out { font-weight: 600; fill: #24292f }
.lane { stroke: #8b949e; stroke-width: 1.5 }
.end { stroke: #57606a; stroke-width: 3; stroke-linecap: round }
.scale { stroke: #8b949e; stroke-opacity: .25; stroke-dasharray: 2 4 }
.blocked { stroke: #d1453b; stroke-opacity: .3; stroke-width: 14; stroke-linecap: round }
.failure { stroke: #d1453b; stroke-width: 3; fill: none }
.taken { stroke: #8b949e; stroke-width: 1.5; fill: none }
.record { fill: #6e7781 }
.from0 { fill: #2f6fd0 }
.from1 { fill: #2b8a57 }
.from2 { fill: #8a5bc7 }
.from3 { fill: #b06a10 }
.barrier { fill: #d1453b }
.unaligned { stroke: #f6b8b3; stroke-width: 2; stroke-dasharray: 3 2 }
.named { fill: #57606a }
.captured { fill: #8b949e; fill-opacity: .18; stroke: #8b949e; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text, .out { fill: #e6edf3 }
  .name { fill: #9aa4af }
  .mark { fill: #fff }
  .end { stroke: #b1bac4 }
}
`

const dedented = (picture: string): string => {
  const lines = picture.split('\n').filter(row => row.trim() !== '')
  const indent = Math.min(...lines.map(row => row.length - row.trimStart().length))
  return lines.map(row => row.slice(indent).trimEnd()).join('\n')
}

const escaped = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
