import type { Law } from 'spillway/testing'

/** The claims, without the subject's name, of those laws that do not hold. */
export const failing = async (laws: readonly Law[]): Promise<readonly string[]> => {
  const titles: string[] = []
  for (const { title, check } of laws) {
    try {
      await check()
    } catch {
      titles.push(title.slice(title.indexOf(': ') + 2))
    }
  }
  return titles
}

export const claims = (laws: readonly Law[]): readonly string[] =>
  laws.map(({ title }) => title.slice(title.indexOf(': ') + 2))
