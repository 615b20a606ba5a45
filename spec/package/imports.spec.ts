import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { importsOf } from './importsOf.ts'

/**
 * A place is a folder with what is below it, but that `lib` is the files in it alone, and the two barrels are places of
 * their own. A file may import its own place, and the places and single files in the row of its place. Packages: the
 * specifier, or what stands before its `*`.
 */
interface Row {
  readonly imports: readonly string[]
  readonly packages: readonly string[]
}

const usual = ['rxjs', 'io-ts', 'fp-ts/lib/*']
const below = {
  channel: ['lib', 'lib/time', 'lib/state'],
  alignment: ['lib', 'lib/time', 'lib/state', 'lib/channel'],
  graph: ['lib', 'lib/time', 'lib/state', 'lib/channel', 'lib/alignment', 'lib/snapshot'],
  control: [
    ...['lib', 'lib/time', 'lib/state', 'lib/channel', 'lib/alignment', 'lib/snapshot'],
    ...['lib/coordination', 'lib/graph'],
  ],
}
const inner = [...below.control, 'lib/control', 'lib/store', 'lib/runtime']

const rows: Readonly<Record<string, Row>> = {
  lib: { imports: [], packages: ['io-ts', 'fp-ts/lib/*'] },
  'lib/time': { imports: ['lib'], packages: usual },
  'lib/state': { imports: ['lib'], packages: usual },
  // Beside time and state in DESIGN.md; above them, because a gate keeps its channels' watermarks.
  'lib/channel': { imports: below.channel, packages: usual },
  // The protocols are pure: no Observable, so no promise, clock or timer either (D5).
  'lib/alignment': { imports: below.alignment, packages: ['immer'] },
  'lib/coordination': { imports: [...below.alignment, 'lib/alignment', 'lib/snapshot'], packages: ['immer', 'croner'] },
  'lib/snapshot': { imports: below.alignment, packages: [...usual, 'msgpackr', 'crc-32'] },
  'lib/graph': { imports: below.graph, packages: [...usual, 'immer'] },
  'lib/store': { imports: ['lib'], packages: usual },
  // The interface and a rule about its log, but no store.
  'lib/control': {
    imports: [...below.control, 'lib/store/store.ts', 'lib/store/ifNewest.ts', 'lib/store/deleted.ts'],
    packages: usual,
  },
  'lib/runtime': { imports: [...below.control, 'lib/control', 'lib/store'], packages: usual },
  'lib/index.ts': { imports: inner, packages: [] },
  // By file rather than by lib/index.ts, so that a source or sink does not load the runtime.
  'lib/node': {
    imports: ['lib', 'lib/graph', 'lib/store', 'lib/index.ts', 'operators/index.ts'],
    packages: [...usual, 'node:*'],
  },
  // The SDK is the user's: the store asks for what a client does, not for the package.
  'lib/s3': { imports: ['lib', 'lib/store'], packages: usual },
  'lib/testing': {
    imports: [...inner, 'lib/index.ts', 'operators', 'operators/index.ts'],
    packages: [...usual, 'rxjs/testing'],
  },
  operators: { imports: ['lib/index.ts'], packages: [...usual, 'immer'] },
  'operators/index.ts': {
    imports: ['operators', 'lib/control/align.ts', 'lib/control/serialize.ts', 'lib/control/coordinate.ts'],
    packages: [],
  },
  examples: {
    imports: [],
    packages: [
      ...['spillway', 'spillway/operators', 'spillway/node', 'spillway/s3', 'spillway/testing'],
      ...['rxjs', 'io-ts', 'fp-ts/lib/*', 'node:*', 'hyparquet', 'hyparquet-compressors', 'vega-datasets'],
    ],
  },
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const tree: Readonly<Record<string, string>> = Object.fromEntries(
  ['lib', 'operators', 'examples'].flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map(name => posix.join(folder, name.replaceAll('\\', '/')))
      .filter(file => file.endsWith('.ts'))
      .map(file => [file, readFileSync(join(root, file), 'utf8')]),
  ),
)

test('imports point one way', () => {
  expect(againstTheTable(tree)).toEqual([])
})

test('no place imports itself by way of others', () => {
  const edges = Object.entries(rows).map(([place, { imports }]) => [place, imports.map(placeOf)] as const)
  expect(cycles(new Map(edges))).toEqual([])
})

test('no file loads itself by way of others', () => {
  const edges = Object.entries(tree).map(([file, text]) => [file, loadedBy(file, text)] as const)
  expect(cycles(new Map(edges))).toEqual([])
})

test('every row of the table stands for files', () => {
  const places = new Set(Object.keys(tree).map(placeOf))
  expect(Object.keys(rows).filter(place => !places.has(place))).toEqual([])
})

test('what lib and operators import comes with the package', () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const installed = Object.keys({ ...dependencies, ...peerDependencies })
  const imported = Object.entries(tree)
    .filter(([file]) => !file.startsWith('examples/'))
    .flatMap(([, text]) => importsOf(text).map(({ specifier }) => specifier))
    .filter(specifier => !specifier.startsWith('.') && !specifier.startsWith('node:'))
    .map(specifier => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] as string)
  expect(imported.filter(name => !installed.includes(name))).toEqual([])
})

describe('the check finds', () => {
  const cases: readonly [claim: string, file: string, text: string, offending: string | undefined][] = [
    ['a type from above', 'lib/channel/a.ts', "import type { A } from '../graph/task.ts'", '../graph/task.ts'],
    [
      'an import of several lines',
      'lib/state/a.ts',
      "import {\n  a,\n  b,\n} from '../runtime/b.ts'",
      '../runtime/b.ts',
    ],
    ['what is exported again', 'lib/time/a.ts', "export * from '../state/b.ts'", '../state/b.ts'],
    ['a dynamic import', 'lib/graph/a.ts', "const a = await import('../control/b.ts')", '../control/b.ts'],
    ['an import for its effects', 'lib/graph/a.ts', "import 'zone.js'", 'zone.js'],
    ['a neighbour of the same height', 'lib/coordination/a.ts', "import { a } from '../graph/b.ts'", '../graph/b.ts'],
    [
      'a store in a control',
      'lib/control/a.ts',
      "import { a } from '../store/memoryStore.ts'",
      '../store/memoryStore.ts',
    ],
    ['the barrel from inside', 'lib/graph/a.ts', "import { run } from '../index.ts'", '../index.ts'],
    ['the inside from an operator', 'operators/a.ts', "import { a } from '../lib/element.ts'", '../lib/element.ts'],
    [
      'a control in an operator',
      'operators/a.ts',
      "import { a } from '../lib/control/align.ts'",
      '../lib/control/align.ts',
    ],
    ['an operator in lib', 'lib/graph/a.ts', "import { map } from '../../operators/map.ts'", '../../operators/map.ts'],
    ['Node in the core', 'lib/runtime/a.ts', "import { join } from 'node:path'", 'node:path'],
    ['Node without its prefix', 'lib/runtime/a.ts', "import { join } from 'path'", 'path'],
    ['an Observable in a protocol', 'lib/alignment/a.ts', "import type { Observable } from 'rxjs'", 'rxjs'],
    ['the inside from an example', 'examples/a.ts', "import { a } from '../lib/index.ts'", '../lib/index.ts'],
    ['a place without a row', 'lib/new/a.ts', "import { a } from '../element.ts'", '../element.ts'],
    ['nothing in a comment', 'lib/a.ts', " * import { a } from './graph/task.ts'", undefined],
    ['nothing where all is well', 'lib/control/a.ts', "import type { S } from '../store/store.ts'", undefined],
  ]
  test.each(cases)('%s', (_, file, text, offending) => {
    const found = againstTheTable({ [file]: text })
    expect(found.map(line => line.split(': ')[0])).toEqual(
      offending === undefined ? [] : [`${file} imports ${offending}`],
    )
  })

  test('a way round', () => {
    const around = { a: ['b'], b: ['c', 'd'], c: [], d: ['a'] }
    expect(cycles(new Map(Object.entries(around)))).toEqual(['a -> b -> d -> a'])
  })
})

/** One line an import that its file's row does not have. */
function againstTheTable(files: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(files).flatMap(([file, text]) => {
    const place = placeOf(file)
    const { imports, packages } = rows[place] ?? { imports: [], packages: [] }
    return importsOf(text)
      .filter(({ specifier }) => {
        if (!specifier.startsWith('.')) return !packages.some(allowed => matches(allowed, specifier))
        const target = resolved(file, specifier)
        return placeOf(target) !== place && !imports.includes(placeOf(target)) && !imports.includes(target)
      })
      .map(
        ({ specifier }) => `${file} imports ${specifier}: ${place} may import ${[...imports, ...packages].join(', ')}`,
      )
  })
}

const placeOf = (file: string): string => {
  if (file in rows) return file
  const [top, folder, inFolder] = file.split('/') as [string, string, string?]
  return top === 'lib' && inFolder !== undefined ? `lib/${folder}` : top
}

const matches = (allowed: string, specifier: string): boolean =>
  allowed.endsWith('*') ? specifier.startsWith(allowed.slice(0, -1)) : specifier === allowed

const resolved = (file: string, specifier: string): string => posix.join(posix.dirname(file), specifier)

const loadedBy = (file: string, text: string): readonly string[] =>
  importsOf(text)
    .filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly)
    .map(({ specifier }) => resolved(file, specifier))

/** One line a way that comes back to where it began, found by walking each edge once. */
function cycles(edges: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const found: string[] = []
  const done = new Set<string>()
  const walk = (at: string, way: readonly string[]): void => {
    const begun = way.indexOf(at)
    if (begun !== -1) found.push([...way.slice(begun), at].join(' -> '))
    if (begun !== -1 || done.has(at)) return
    done.add(at)
    for (const next of edges.get(at) ?? []) walk(next, [...way, at])
  }
  for (const begin of edges.keys()) walk(begin, [])
  return found
}
