/** An `import` or `export ... from`, static or dynamic. */
export interface Import {
  readonly specifier: string
  /** An `import type` or `export type`, of which nothing is left in the JavaScript. */
  readonly typeOnly: boolean
}

/**
 * The imports of a TypeScript file as Biome formats it, where a statement begins its line. That alone tells code from
 * comments, so an `import('...')` in a comment counts.
 */
export const importsOf = (text: string): readonly Import[] => [
  ...Array.from(text.matchAll(statement), ([, type, specifier]) => ({
    specifier: specifier as string,
    typeOnly: type !== undefined,
  })),
  ...Array.from(text.matchAll(call), ([, specifier]) => ({ specifier: specifier as string, typeOnly: false })),
]

const statement =
  /^(?:import|export)\s+(?:(type)\s+)?(?:(?:\w+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?|\w+)\s*from\s*)?['"]([^'"]+)['"]/gm
const call = /\b(?:import|require)\s*\(\s*['"`]([^'"`]+)['"`]/g
