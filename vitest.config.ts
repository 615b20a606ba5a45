import { defineConfig } from 'vitest/config'

// Specs run against the source, through the names a user would import.
export default defineConfig({
  resolve: { conditions: ['@spillway/source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['@spillway/source', 'node', 'import', 'default'] } },
  test: { include: ['spec/**/*.spec.ts'], typecheck: { enabled: false }, testTimeout: 30_000 },
})
