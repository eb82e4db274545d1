import { defineConfig } from 'vitest/config'

/** Tests read the sources: no build is needed. */
export default defineConfig({
  ssr: { resolve: { conditions: ['motley-source'] } },
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts', 'tools/**/*.test.ts'],
    // Most tests wait for processes and sockets: a core can carry more than one file at a time.
    maxWorkers: 2,
    // Nothing is measured by these: they end what hangs, also on a machine with other work to do.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
  },
})
