// A job in little, to be killed: writes the numbers from 0 and makes a checkpoint every 1,000 of them, as a runtime would.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import * as t from 'io-ts'
import { from as fromInput, lastValueFrom, type ObservableInput } from 'rxjs'
import { type NdjsonTransaction, ndjsonFiles } from '../../lib/node/ndjsonFiles.ts'

const [directory = '', total = '0'] = process.argv.slice(2)
const path = `${directory}.checkpoint.json`

interface Stored {
  readonly epoch: number
  readonly position: number
  readonly transactions: readonly NdjsonTransaction[]
}

const done = (input: ObservableInput<unknown>) => lastValueFrom(fromInput(input), { defaultValue: undefined })

const store = (stored: Stored) => {
  writeFileSync(`${path}.new`, JSON.stringify(stored))
  renameSync(`${path}.new`, path)
}

const last: Stored = existsSync(path)
  ? JSON.parse(readFileSync(path, 'utf8'))
  : { epoch: 0, position: 0, transactions: [] }
const epoch = last.epoch + 1
store({ ...last, epoch })

const writer = ndjsonFiles(directory, t.type({ n: t.number })).open({ epoch, subtask: { index: 0, parallelism: 1 } })
await done(writer.recover({ publish: last.transactions }))

let { position } = last
let unpublished: readonly NdjsonTransaction[] = []
let publishing: Promise<unknown> = Promise.resolve()
for (let id = 1; position < Number(total); id++) {
  for (let batch = 0; batch < 10; batch++) writer.write(Array.from({ length: 100 }, () => ({ n: position++ })))
  const made = writer.cut(id)
  if (made === undefined) break
  const transactions = [...unpublished, made.tx]
  const stored = { epoch, position, transactions }
  await Promise.all([done(made.durable), publishing])
  store(stored)
  process.stdout.write(`checkpoint ${id}\n`)
  unpublished = transactions
  publishing = done(writer.publish(transactions)).then(() => {
    unpublished = unpublished.filter(tx => !transactions.includes(tx))
  })
}
await publishing
writer.close()
