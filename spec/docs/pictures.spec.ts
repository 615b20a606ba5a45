import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { svg } from 'spillway/testing'
import { expect, test } from 'vitest'
import { markdown } from './markdown.ts'
import { diagramsOf } from './pictures.ts'

const docs = fileURLToPath(new URL('../../docs/', import.meta.url))
const read = (file: string) => readFileSync(join(docs, file), 'utf8')
const diagrams = readdirSync(docs)
  .filter(name => name.endsWith('.md'))
  .flatMap(name => diagramsOf(markdown(name, read(name)), read(name)))

const remedy = 'draw the diagrams anew: npm run pictures'

test('the diagrams in docs/pictures are those that the pages show', () => {
  expect(diagrams.length).toBeGreaterThan(3)
  expect(readdirSync(join(docs, 'pictures')).sort(), remedy).toEqual(
    diagrams.map(({ file }) => file.replace('pictures/', '')).sort(),
  )
})

test.each(diagrams)('docs/$file is drawn from the picture that its page runs', ({ file, picture }) => {
  expect(read(file) === svg(picture), `docs/${file} is out of date; ${remedy}`).toBe(true)
})

test('a diagram without a picture that runs is found', () => {
  const text = '![A](pictures/a.svg)\n\n```ts\npicture(`\n  A  a`)\n```\n'
  expect(() => diagramsOf(markdown('a.md', text), text)).toThrow('a.md, line 1: no block with a picture that runs')
})
