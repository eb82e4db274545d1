import { expect, test } from 'vitest'
import { parseConfig } from '#cli/config-file.ts'
import { withAppliedModels } from '#cli/fleet-models.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import { applyDeploymentEvent, noDeployments } from '#controller/deployment-state.ts'

function config(text: string) {
  return parseConfig(text, { path: 'motley.yaml', env: {}, cwd: '/' })
}

function modelsWith(configured: string, applied: string) {
  const set = (origin: 'configuration' | 'applied', text: string) =>
    ({ type: 'deployments-set', origin, ...wishesOf(config(text)), digest: null }) as const
  const own = applyDeploymentEvent(noDeployments, set('configuration', configured), 0)
  const state = applyDeploymentEvent(own, set('applied', applied), 0)
  return withAppliedModels(config(configured).models, state)
}

const chat = `
models: { qwen3-8b: { aliases: [gpt-4o-mini, small], fallback: [llama-3.1-8b], targets: { tpotMs: 50 } } }
deployments: { chat: { model: qwen3-8b, targets: { ttftMs: 700, tpotMs: 90 } } }`

test('what was applied is offered under its aliases, and held to its targets', () => {
  expect(modelsWith('{}', chat)).toMatchObject({
    'qwen3-8b': {
      aliases: ['gpt-4o-mini', 'small'],
      fallback: ['llama-3.1-8b'],
      targets: { ttftMs: 700, tpotMs: 50 },
    },
  })
})

test('a deployment of the catalogue needs no entry of its own', () => {
  const chat = '{ model: qwen3-8b, priority: high, targets: { ttftMs: 700 } }'
  expect(modelsWith('{}', `deployments: { chat: ${chat} }`)).toMatchObject({
    'qwen3-8b': { aliases: [], priority: 'high', targets: { ttftMs: 700 } },
  })
})

test('names of the configuration stay what they are there', () => {
  const models = modelsWith('models: { phi: { aliases: [gpt-4o-mini] } }', chat)
  expect(models['phi']?.aliases).toEqual(['gpt-4o-mini'])
  expect(models['qwen3-8b']?.aliases).toEqual(['small'])
})

test('what the configuration says of the same model counts', () => {
  const models = modelsWith(
    'models: { qwen3-8b: { aliases: [big], targets: { ttftMs: 100 } } }',
    chat,
  )
  expect(models['qwen3-8b']).toMatchObject({
    aliases: ['big'],
    fallback: [],
    targets: { ttftMs: 100, tpotMs: 90 },
  })
})
