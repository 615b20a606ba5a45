import { createReadStream } from 'node:fs'

/** The lines of a file, some thousands at a time, so that whoever reads them lets others have their turn. */
export async function* linesOf(path: string): AsyncGenerator<readonly string[]> {
  let rest = ''
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 256 * 1024 })) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    yield lines
  }
  if (rest !== '') yield [rest]
}
