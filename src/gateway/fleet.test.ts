import { expect, onTestFinished, test } from 'vitest'
import { motleyConfig } from '#core/config/document.ts'
import { modelName } from '#core/ids.ts'
import { Fleet } from '#gateway/fleet.ts'

/** Replicas as a controller tells of them, with the context of each. */
function shortestOf(...contexts: readonly (number | undefined)[]): number | null {
  const config = motleyConfig.parse({
    endpoints: contexts.map((_, at) => ({
      ...{ url: `http://127.0.0.1:${9_000 + at}`, name: `r${at}`, models: ['tiny'] },
    })),
  })
  const fleet = new Fleet({ ms: 0 })
  onTestFinished(() => fleet.close())
  const endpoints = config.endpoints.map((one, at) => ({ ...one, contextTokens: contexts[at] }))
  fleet.configure({ ...config, endpoints })
  return fleet.shortestContext(modelName('tiny'))
}

test('a prompt has to be looked at where contexts differ, from the shortest on', () => {
  expect(shortestOf(1_024, 256, 8_192)).toBe(256)
  expect(shortestOf(256, undefined)).toBe(256)
})

test('where all hold as much, or nobody knows, no prompt is looked at', () => {
  expect(shortestOf(1_024, 1_024)).toBeNull()
  expect(shortestOf(undefined, undefined)).toBeNull()
  expect(shortestOf(1_024)).toBeNull()
})
