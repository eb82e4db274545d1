import { expect, onTestFinished, test } from 'vitest'
import { motleyConfig } from '#core/config/document.ts'
import { endpointId, modelName } from '#core/ids.ts'
import { Fleet, servedModel } from '#gateway/fleet.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'

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

const report: EndpointReport = {
  ...{ endpoint: endpointId('mine'), atMs: 0, engine: 'vllm', engineVersion: null },
  check: { status: 'L7OK', verdict: 'ready', code: 200, durationMs: 0, detail: null },
  models: [{ servedName: 'llama', contextTokens: 8_192, tasks: null }],
  ...{ tasks: null, load: null, supportsStreamUsage: true },
  continuation: { kind: 'completion' },
}

test('models keep the names that the user gave and the context that their engine told', () => {
  const config = (port: number) =>
    motleyConfig.parse({
      endpoints: [{ url: `http://127.0.0.1:${port}`, name: 'mine', models: { chat: 'llama' } }],
    })
  const fleet = new Fleet({ ms: 0 })
  onTestFinished(() => fleet.close())
  fleet.configure(config(9_000))
  const endpoint = fleet.apply(report)!
  const context = () => servedModel(endpoint, modelName('chat'))?.contextTokens
  expect([...(endpoint.models?.keys() ?? [])]).toEqual(['chat'])
  expect(context()).toBe(8_192)
  fleet.configure(config(9_000))
  expect(context(), 'the same file, read again').toBe(8_192)
  fleet.configure(config(9_001))
  expect(context(), 'another engine').toBeNull()
})
