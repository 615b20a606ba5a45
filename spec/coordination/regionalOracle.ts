/** A case of the suite "regional", as its README describes the format. */
export interface RegionalCase {
  readonly regions: readonly (readonly string[])[]
  readonly failedRatioMax: number
  readonly consecutiveFailuresMax: number
  readonly retained: number
}

/**
 * What the README of the conformance cases says of regions, in its order and words, over plain sets: it knows of no commits,
 * entries or objects. Gives the OUT of each step.
 */
export const regionalOracle = (of: RegionalCase, steps: readonly string[]): readonly (readonly string[])[] => {
  const { regions, retained } = of
  const last: (number | undefined)[] = regions.map(() => undefined)
  const counts = regions.map(() => 0)
  const completed: { readonly id: number; readonly names: readonly number[] }[] = []
  const files = new Set<number>()
  let pending: number | undefined
  let acks = new Set<string>()
  let parts: ('open' | 'finished' | 'failed')[] = []
  let out: string[] = []

  const regionOf = (task: string) => regions.findIndex(region => region.includes(task))

  const verdict = (failed: readonly number[]): string | undefined => {
    if (failed.length / regions.length > of.failedRatioMax) return 'too-many-regions'
    if (failed.some(region => last[region] === undefined)) return 'no-previous'
    if (failed.some(region => (counts[region] as number) >= of.consecutiveFailuresMax)) return 'region-stale'
    return undefined
  }

  const settle = (id: number): void => {
    const failed = regions.map((_, region) => region).filter(region => parts[region] === 'failed')
    const finished = regions.filter((_, region) => parts[region] === 'finished')
    const why = failed.length === 0 ? undefined : verdict(failed)
    if (why === undefined) {
      for (const region of failed) (counts[region] as number)++
      completed.push({ id, names: [...last] as number[] })
      out.push(`complete ${id} ${last.join(',')}`)
      if (finished.length > 0) out.push(`notify ${id} ${finished.flat().join(',')}`)
    } else out.push(`fail ${id} ${why}`)
    if (why === undefined || finished.length > 0) files.add(id)
    const kept = completed.slice(Math.max(0, completed.length - retained))
    const alive = new Set([...kept.flatMap(({ id, names }) => [id, ...names]), ...last])
    for (const one of [...files].sort((a, b) => a - b)) {
      if (alive.has(one)) continue
      files.delete(one)
      out.push(`release ${one}`)
    }
    pending = undefined
  }

  const fail = (region: number): void => {
    if (parts[region] === 'open') parts[region] = 'failed'
  }

  const happens = (what: string, first: string, task = ''): void => {
    if (what === 'trigger') {
      pending = Number(first)
      acks = new Set()
      parts = regions.map(() => 'open')
      return
    }
    if (pending === undefined || (what !== 'task-fails' && Number(first) !== pending)) return
    const region = regionOf(what === 'task-fails' ? first : task)
    if (what === 'expire') for (let each = 0; each < regions.length; each++) fail(each)
    else if (what === 'ack') {
      acks.add(task)
      if (parts[region] === 'open' && regions[region]?.every(member => acks.has(member)) === true) {
        parts[region] = 'finished'
        last[region] = pending
        counts[region] = 0
        out.push(`region ${region} of ${pending}`)
      }
    } else fail(region)
    if (!parts.includes('open')) settle(pending)
  }

  return steps.map(step => {
    out = []
    const [what, first, task] = step.split(' ')
    happens(what as string, first as string, task)
    return out
  })
}
