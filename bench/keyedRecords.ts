export interface KeyedRecord {
  readonly key: string
  readonly value: number
}

/** The same in every run: keys in no order, sums that stay small integers. */
export const keyedRecords = (count: number, { keys }: { keys: number }): readonly KeyedRecord[] => {
  const names = Array.from({ length: keys }, (_, i) => `key-${i}`)
  const records = new Array<KeyedRecord>(count)
  let random = 1
  for (let i = 0; i < count; i++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    records[i] = { key: names[(random >>> 8) % keys] as string, value: random >>> 25 }
  }
  return records
}
