import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'

/** They look at what all of their process has loaded or holds. */
const alone = [
  'spec/snapshot/encodingWithoutAddon.spec.ts',
  'spec/runtime/largeExchange.spec.ts',
  'spec/channel/sharing.spec.ts',
]

// Specs run against the source, through the names a user would import. Others share a process, and so what they import.
export default defineConfig({
  resolve: { conditions: ['@spillway/source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['@spillway/source', 'node', 'import', 'default'] } },
  test: {
    typecheck: { enabled: false },
    testTimeout: 60_000,
    maxWorkers: availableParallelism(),
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['spec/**/*.spec.ts'],
          exclude: [...configDefaults.exclude, ...alone],
          isolate: false,
        },
      },
      { extends: true, test: { name: 'alone', include: alone, isolate: true } },
    ],
  },
})
