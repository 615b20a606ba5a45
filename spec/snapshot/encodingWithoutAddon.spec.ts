import { expect, test } from 'vitest'

// The same as in a browser, where msgpackr has no native addon to read strings with.
process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED = 'true'
await import('./encoding.spec.ts')

test('msgpackr is used without its native addon', async () => {
  const { isNativeAccelerationEnabled } = await import('msgpackr')
  expect(isNativeAccelerationEnabled).toBe(false)
})
