import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { suites } from './suites.ts'

interface Case {
  readonly id: string
  readonly name: string
}

describe.each(Object.keys(suites))('suite %s', suite => {
  const { cases } = JSON.parse(readFileSync(new URL(`cases/${suite}.json`, import.meta.url), 'utf8')) as {
    cases: readonly Case[]
  }
  test.each(cases.map(of => [`${of.id}: ${of.name}`, of] as const))('%s', (_, of) => {
    expect(suites[suite]?.(of)()).toEqual([])
  })
})
