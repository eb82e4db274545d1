import { describe, expect, test } from 'vitest'
import { ConfigError } from '#cli/config-error.ts'
import { parseConfig } from '#cli/config-file.ts'

const catalog = new Set(['whisper-large-v3-turbo'])

function parse(text: string) {
  return parseConfig(text, { path: 'motley.yaml', env: {}, cwd: '/srv/motley', catalog })
}

function problems(text: string): string[] {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

const example = `
models:
  llama-3.1-8b:
    variants:
      - { source: "hf:meta-llama/Llama-3.1-8B-Instruct", engines: [vllm, sglang] }
      - { source: "hf:bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M" }
      - { source: ./here.gguf }
deployments:
  chat:
    model: llama-3.1-8b
    replicas: { min: 1, max: 3 }
    targets: { ttftMs: 1000, tpotMs: 60 }
    constraints: { backends: [cuda, rocm], minVram: 16GiB, nodes: [khelben], tolerations: [dedicated=vllm] }
    priority: high
  stt: { task: transcription, model: whisper-large-v3-turbo, share: true }
nodes:
  khelben: { taints: ["dedicated=vllm:NoSchedule"], labels: { room: rack } }
`

test('deployments, nodes and variants are read as they are written', () => {
  const { deployments, nodes, models } = parse(example)
  expect(deployments['chat']).toMatchObject({
    model: 'llama-3.1-8b',
    task: 'chat',
    replicas: { min: 1, max: 3 },
    constraints: {
      minVram: 16 * 2 ** 30,
      tolerations: [{ key: 'dedicated', value: 'vllm', effect: null }],
    },
    share: false,
  })
  expect(deployments['stt']).toMatchObject({ task: 'transcription', replicas: { min: 1 } })
  expect(nodes['khelben']).toMatchObject({
    taints: [{ key: 'dedicated', value: 'vllm', effect: 'NoSchedule' }],
    labels: { room: 'rack' },
  })
  expect(models['llama-3.1-8b']?.variants.at(-1)?.source).toBe('file:/srv/motley/here.gguf')
})

test.each([
  { text: 'gpu', is: { key: 'gpu', value: null, effect: null } },
  { text: 'gpu=a100', is: { key: 'gpu', value: 'a100', effect: null } },
  { text: 'a.b/gpu=a100:NoExecute', is: { key: 'a.b/gpu', value: 'a100', effect: 'NoExecute' } },
  { text: 'gpu:NoSchedule', is: { key: 'gpu', value: null, effect: 'NoSchedule' } },
])('the toleration "$text" is read in its parts', ({ text, is }) => {
  const read = parse(
    `deployments: { a: { model: whisper-large-v3-turbo, constraints: { tolerations: ["${text}"] } } }`,
  )
  expect(read.deployments['a']?.constraints.tolerations).toEqual([is])
})

describe('a wrong deployment is told by line, key, what was found and what is allowed', () => {
  test.each<{ what: string; text: string; said: string[] }>([
    {
      what: 'a model that nobody knows',
      text: 'deployments:\n  chat:\n    model: lama',
      said: [
        'motley.yaml:3: deployments.chat.model: "lama" is no model of "models", and the catalogue does not know it; add models["lama"].variants with where its weights are, or write a reference as hf:owner/repo',
      ],
    },
    {
      what: 'a model without variants',
      text: 'models:\n  lama: { aliases: [l] }\ndeployments:\n  chat: { model: lama }',
      said: [
        'motley.yaml:4: deployments.chat.model: "lama" stands under "models" without variants, so nobody knows where its weights are; add models["lama"].variants',
      ],
    },
    {
      what: 'more at least than at most',
      text: 'deployments:\n  chat:\n    model: hf:a/b\n    replicas: { min: 3, max: 2 }',
      said: [
        'motley.yaml:4: deployments.chat.replicas.max: at least 3 replicas (min) cannot be at most 2; raise max or lower min',
      ],
    },
    {
      what: 'a neighbour that does not exist',
      text: 'deployments:\n  chat: { model: "hf:a/b", constraints: { awayFrom: [sst] } }',
      said: [
        'motley.yaml:2: deployments.chat.constraints.awayFrom[0]: there is no deployment "sst"; there is chat',
      ],
    },
    {
      what: 'engines that no variant has',
      text: 'models:\n  m: { variants: [{ source: "hf:a/b", engines: [vllm] }] }\ndeployments:\n  chat: { model: m, constraints: { engines: [sglang] } }',
      said: [
        'motley.yaml:4: deployments.chat.constraints.engines: no variant of "m" names sglang: they name vllm',
      ],
    },
    {
      what: 'a list in which nothing is allowed',
      text: 'deployments:\n  chat: { model: "hf:a/b", kvCacheTypes: [] }',
      said: [
        'motley.yaml:2: deployments.chat.kvCacheTypes: found an empty list, allowed: a list of at least 1, each entry one of f16, fp8, q8_0, q4_0',
      ],
    },
    {
      what: 'a taint without an effect',
      text: 'nodes:\n  khelben: { taints: [dedicated=vllm] }',
      said: [
        'motley.yaml:2: nodes.khelben.taints[0]: found "dedicated=vllm", allowed: key=value:effect, the effect one of NoSchedule, PreferNoSchedule, NoExecute, as dedicated=vllm:NoSchedule',
      ],
    },
    {
      what: 'a backend and a priority that do not exist',
      text: 'deployments:\n  chat:\n    model: hf:a/b\n    priority: urgent\n    constraints: { backends: [cuds] }',
      said: [
        'motley.yaml:4: deployments.chat.priority: found "urgent", allowed: one of low, normal, high, critical',
        'motley.yaml:5: deployments.chat.constraints.backends[0]: found "cuds", allowed: one of cuda, rocm, metal, vulkan, level-zero, cpu; did you mean "cuda"?',
      ],
    },
    {
      what: 'a source that is none',
      text: 'models:\n  m: { variants: [{ source: meta-llama/Llama-3.1-8B }] }',
      said: [
        'motley.yaml:2: models.m.variants[0].source: found "meta-llama/Llama-3.1-8B", allowed: hf:owner/repo[:quantization], hf:owner/repo/file, https://…, file:… or a path',
      ],
    },
    {
      what: 'a device by a name that no device has',
      text: 'nodes:\n  a: { devices: { gpu0: { use: false } } }',
      said: [
        'motley.yaml:2: nodes.a.devices: found the key "gpu0", allowed: vendor and number of a device, as amd-0 or nvidia-1',
      ],
    },
  ])('$what', ({ text, said }) => {
    expect(problems(text)).toEqual(said)
  })
})

test.each([
  {
    text: 'deployments: { a: { model: whisper-large-v3-turbo, replicas: 1 } }',
    hint: 'replicas: found 1, .*; write { min: 1, max: 1 }$',
  },
  {
    text: 'deployments: { a: { model: whisper-large-v3-turbo, replicas: 0 } }',
    hint: 'replicas: found 0, .*; write { min: 0, max: 1 }$',
  },
  {
    text: 'listen: 127.0.0.1:7070',
    hint: 'listen: unknown key, .*; it belongs under gateway: or controller:$',
  },
])('$text is answered with the right form', ({ text, hint }) => {
  expect(problems(text)).toContainEqual(expect.stringMatching(new RegExp(hint)))
})
