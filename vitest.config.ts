import { defineConfig } from 'vitest/config'

/** Tests read the sources: no build is needed. */
export default defineConfig({
  ssr: { resolve: { conditions: ['motley-source'] } },
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts', 'tools/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
