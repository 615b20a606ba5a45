import * as t from 'io-ts'
import type { CapturedWatermarks } from './watermarks.ts'

/** What a gate knows of event time, in a snapshot. */
export const capturedWatermarks: t.Type<CapturedWatermarks, any> = t.type({
  combinedMs: t.number,
  channels: t.readonlyArray(t.type({ watermarkMs: t.number, idle: t.boolean })),
})
