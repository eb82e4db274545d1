import { expect, test } from 'vitest'
import { motleyConfig } from '#core/config/document.ts'
import { strayInRules } from '#core/config/stray-rules.ts'

const document = {
  gateway: { keys: [{ name: 'app', key: 'sk-0123456789abcdef' }] },
  models: { 'llama-3.1-8b': { aliases: ['gpt-4o'] } },
  endpoints: [
    { url: 'http://127.0.0.1:8001', name: 'rtx', labels: { privacy: 'in-house' } },
    { url: 'http://127.0.0.1:8002', name: 'amd', labels: { node: 'tower' } },
  ],
  deployments: { chat: { model: 'llama-3.1-8b' } },
}

/** What is said of one rule. */
function said(rule: object, more: object = {}): string[] {
  const withDemand = 'require' in rule ? rule : { ...rule, require: { minVram: '8GiB' } }
  const config = motleyConfig.parse({ ...document, ...more, routing: { rules: [withDemand] } })
  return strayInRules(config).map(({ path, text }) => `${path.slice(3).join('.')}: ${text}`)
}

test('names that the file has, and those that replicas will have, are passed over', () => {
  const when = { models: ['llama-3.1-8b', 'llama-*', 'of-an-engine'], keys: ['app'] }
  const require = {
    endpoints: ['rtx', 'chat-0'],
    nodes: ['tower', 'another-machine'],
    labels: { privacy: 'in-house', node: 'any' },
  }
  expect(said({ when, require })).toEqual([])
})

test.each([
  [
    { when: { keys: ['ap'] } },
    'when.keys.0: no key of gateway.keys is called "ap"; did you mean "app"?',
  ],
  [{ when: { keys: ['hr'] } }, 'when.keys.0: no key of gateway.keys is called "hr"'],
  [
    { when: { models: ['llama-3.1-8'] } },
    'when.models.0: no model of this file is called "llama-3.1-8"; did you mean "llama-3.1-8b"?',
  ],
  [
    { when: { models: ['gpt-4o'] } },
    'when.models.0: "gpt-4o" is an alias, and rules go by the model: "llama-3.1-8b"',
  ],
  [
    { require: { endpoints: ['rtx', 'rtxx'] } },
    'require.endpoints.1: no endpoint of this file is called "rtxx"; did you mean "rtx"?',
  ],
  [
    { require: { endpoints: ['moon'] } },
    'require.endpoints.0: no endpoint of this file is called "moon"',
  ],
  [
    { require: { nodes: ['towr'] } },
    'require.nodes.0: no node of this file is called "towr"; did you mean "tower"?',
  ],
  [
    { require: { labels: { privcy: 'in-house' } } },
    'require.labels.privcy: no endpoint of this file has the label "privcy"; did you mean "privacy"?',
  ],
  [
    { require: { labels: { privacy: 'inhouse' } } },
    'require.labels.privacy: no endpoint of this file has "inhouse" for the label "privacy"; did you mean "in-house"?',
  ],
])('%j is told of', (rule, text) => {
  expect(said(rule)).toEqual([text])
})

test('a model that none has is told of where every endpoint has its models written down', () => {
  const endpoints = [{ url: 'http://127.0.0.1:8001', name: 'rtx', models: ['qwen'] }]
  const rule = { when: { models: ['mistral'] } }
  expect(said(rule, { endpoints })).toEqual([
    'when.models.0: no model of this file is called "mistral"',
  ])
  expect(said(rule)).toEqual([])
})
