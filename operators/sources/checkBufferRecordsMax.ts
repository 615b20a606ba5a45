import { SpillwayError } from '../../lib/index.ts'

/** @throws INVALID_OPTION unless it is a whole number of at least 1. */
export const checkBufferRecordsMax = (place: string, bufferRecordsMax: number): void => {
  if (Number.isInteger(bufferRecordsMax) && bufferRecordsMax >= 1) return
  throw new SpillwayError('INVALID_OPTION', {
    place,
    problem: `bufferRecordsMax is ${bufferRecordsMax}.`,
    remedy: 'Give a whole number of at least 1.',
  })
}
