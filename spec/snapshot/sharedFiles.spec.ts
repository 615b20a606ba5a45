import { expect, test } from 'vitest'
import { SharedFiles } from '../../lib/snapshot/sharedFiles.ts'

/** A line: what happens, and the file that is to be written then. Regions are divided by `|`. */
const cases: readonly (readonly [claim: string, ...lines: readonly string[]])[] = [
  [
    'a file is written once it is full, the last one once all have answered',
    'begin 1 abcde',
    'add a',
    'add b',
    'add c -> abc',
    'add d',
    'add e -> de',
  ],
  [
    'it waits for no more once the others have answered that have none',
    'begin 1 abc',
    'add a',
    'answered b',
    'answered c -> a',
  ],
  ['nobody waits in vain for what nobody adds', 'begin 1 ab', 'answered a', 'answered b'],
  [
    'a region that lacks nothing else has it written, with what it shares the file with',
    'begin 1 ab|cd|e',
    'add a',
    'add c',
    'answered b -> ac',
    'add d -> d',
    'answered e',
  ],
  ['a region that answers alone waits for nobody', 'begin 1 a|bc', 'add a -> a', 'add b', 'add c -> bc'],
  ['a region that has nothing in it does not have it written', 'begin 1 ab|c', 'add a', 'answered c', 'add b -> ab'],
  ['a region that is given up leaves the others the file', 'begin 1 ab|cd', 'add a', 'add c', 'gone ab', 'add d -> cd'],
  ['the last one that others waited for is given up', 'begin 1 ab|c', 'add a', 'gone c', 'answered b -> a'],
  ['all that was waited for is given up', 'begin 1 a|bc', 'add b', 'gone bc', 'add a -> a'],
  ['who was not asked has a file of its own', 'begin 1 ab', 'add x -> x', 'add a', 'add b -> ab', 'add b -> b'],
  ['who answers twice counts once', 'begin 1 abc', 'answered a', 'answered a', 'add b', 'answered c -> b'],
  [
    'what comes of an older checkpoint has a file of its own',
    'begin 1 ab',
    'begin 2 ab',
    'add a 1 -> a',
    'add a',
    'add b -> ab',
  ],
  ['what is left of an older checkpoint is written', 'begin 1 ab', 'add a', 'begin 2 ab -> a', 'add a', 'add b -> ab'],
]

test.each(cases)('%s', (_, ...lines) => {
  const files = new SharedFiles(3)
  let checkpoint = 0
  const told = lines.map(line => {
    const [event = ''] = line.split(' -> ')
    const [kind, what = '', of] = event.split(' ')
    const happens = () => {
      if (kind === 'begin') {
        checkpoint = Number(what)
        return files.begin(
          checkpoint,
          (of as string).split('|').map(region => [...region]),
        )
      }
      if (kind === 'add') return files.add(what, of === undefined ? checkpoint : Number(of))
      return kind === 'answered' ? files.answered(what) : files.gone([...what])
    }
    const file = happens()
    return file === undefined ? event : `${event} -> ${file.join('')}`
  })
  expect(told).toEqual(lines)
})
