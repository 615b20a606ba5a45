import crc32 from 'crc-32'
import { msgpackEncoding } from './encoding.ts'

/** Of a value as it would be written; all that cannot be have one. */
export const hashOf = (value: unknown): number => {
  try {
    return crc32.buf(encoding.encode(value))
  } catch {
    return 0
  }
}

const encoding = msgpackEncoding()
