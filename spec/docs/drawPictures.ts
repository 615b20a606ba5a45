import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { svg } from 'spillway/testing'
import { markdown } from './markdown.ts'
import { diagramsOf } from './pictures.ts'

/** `npm run pictures`: draws the diagrams of docs/ anew, and removes those that no page shows. */
const docs = fileURLToPath(new URL('../../docs/', import.meta.url))
const folder = join(docs, 'pictures')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)
for (const name of readdirSync(docs).filter(file => file.endsWith('.md'))) {
  const text = readFileSync(join(docs, name), 'utf8')
  for (const { file, picture } of diagramsOf(markdown(name, text), text)) writeFileSync(join(docs, file), svg(picture))
}
