import { expect, test } from 'vitest'
import { motleyConfig } from '#core/config/document.ts'
import { strayModels } from '#core/config/stray-models.ts'

test('a fallback or a model of a key that is nearly one of the file is told with the one meant', () => {
  const config = motleyConfig.parse({
    gateway: { keys: [{ name: 'app', key: 'sk-0123456789abcdef', models: ['llama', 'qwne'] }] },
    models: { llama: { aliases: ['gpt-4o'], fallback: ['qwen', 'gtp-4o', 'something-else'] } },
    endpoints: [{ url: 'http://127.0.0.1:8001', models: ['qwen'] }],
  })
  expect(strayModels(config)).toEqual([
    {
      path: ['models', 'llama', 'fallback', 1],
      text: 'nothing here is called "gtp-4o"; did you mean "gpt-4o"?',
    },
    {
      path: ['gateway', 'keys', 0, 'models', 1],
      text: 'nothing here is called "qwne"; did you mean "qwen"?',
    },
  ])
})
