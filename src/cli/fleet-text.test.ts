/** What the commands about nodes and replicas print, as it fits a terminal of 80 columns. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import {
  benchmarkText,
  nodesAnswer,
  nodesText,
  replicaAnswer,
  replicaInfoText,
  replicasAnswer,
  replicasText,
} from '#cli/fleet-text.ts'

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/cli/${name}`, import.meta.url))

const node = (name: string, more: object = {}) => ({
  id: `node-${name}`,
  name,
  presence: 'ready',
  draining: false,
  found: [],
  silentMs: 1_200,
  inventory: { devices: [] },
  ...more,
})

const gpu = (name: string, memoryBytes: number | null) => ({ vendor: 'nvidia', name, memoryBytes })

const nodes = [
  node('rack-4', {
    inventory: {
      devices: [
        gpu('NVIDIA GeForce RTX 4090', 24e9),
        gpu('NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition', 96e9),
        gpu('AMD EPYC 7451', 512e9),
      ],
    },
  }),
  node('a-name-of-a-machine-in-a-data-center-of-sixty-letters-no-less', {
    presence: 'suspect',
    silentMs: 17_800,
    inventory: { devices: [gpu('Apple M2 Ultra', null)] },
  }),
  node('studio', {
    inventory: {
      devices: [
        { vendor: 'apple', name: 'Apple M4 Max', memoryBytes: 128e9 },
        { vendor: 'cpu', name: 'Apple M4 Max', memoryBytes: 128e9 },
      ],
    },
  }),
  node('shown', { inventory: { devices: [gpu('Radeon RX 7900 XTX', 24e9)], isRecording: true } }),
  node('laptop', { presence: 'lost', silentMs: null, inventory: null }),
  node('desk', { draining: true, silentMs: 86_400_000 }),
]

const replica = (
  id: string,
  state: string | null,
  more: object = {},
  presence = 'ready',
  draining = false,
  silentMs: number | null = 1_000,
) => ({
  spec: { id, model: 'llama-3.1-8b', source: `hf:org/${id}`, contextTokens: null, slots: null },
  nodeName: 'rack-4',
  presence,
  silentMs,
  draining,
  reported:
    state === null
      ? null
      : {
          state,
          detail: null,
          engine: 'llama-server',
          backend: 'cuda',
          pid: 4_711,
          port: 40_123,
          restarts: 0,
          lastEnd: null,
          progress: null,
          alarms: [],
          ...more,
        },
})

const nowMs = Date.UTC(2026, 10, 28)

const nothingYet = { engine: null, backend: null, pid: null, port: null }

const replicas = [
  replica('llama-3.1-8b-a1b2c3', 'ready'),
  replica('a-model-with-a-name-of-forty-letters-xxx-d4e5f6', 'crash-looping', {
    restarts: 12,
    lastEnd: { atMs: nowMs - 90_000, code: 1, signal: null, meaning: 'It does not fit.' },
    engine: 'motley-embedded',
    backend: 'level-zero',
    detail:
      'The model and its context do not fit in the memory that is free. Take a smaller context, fewer slots or stronger quantization.',
  }),
  replica('pulled-1', 'pulling', { ...nothingYet, progress: { doneBytes: 5e9, totalBytes: 2e10 } }),
  replica('pulled-2', 'pulling', { ...nothingYet, progress: { doneBytes: 5e6, totalBytes: null } }),
  replica('slow', 'ready', {
    backend: 'cpu',
    alarms: [
      'It runs on the CPU although there is NVIDIA GeForce RTX 4090. llama.cpp llama-server on cuda: there is no program "llama-server" on the PATH of the agent.',
    ],
  }),
  replica('lost-1', 'ready', {}, 'lost', false, 200_000),
  replica('silent-1', 'ready', {}, 'suspect', false, 20_000),
  replica('away-1', null, {}, 'suspect', false, null),
  replica('asked', null),
  replica('kept', null, {}, 'ready', true),
]

const speed = {
  engine: 'llama-server',
  engineVersion: 'b8681',
  model: 'llama-3.1-8b',
  quantization: 'Q4_K_M',
  promptTokensPerSecond: 3_120.4,
  decodeTokensPerSecond: 9.46,
  byConcurrency: [
    { requests: 1, tokensPerSecond: 9.46 },
    { requests: 2, tokensPerSecond: 17 },
    { requests: 4, tokensPerSecond: 18 },
  ],
  knee: 2,
}

const pages = [
  nodesText(nodesAnswer.parse({ nodes, frozen: true })),
  nodesText({ nodes: [], frozen: false }),
  replicasText(replicasAnswer.parse({ replicas })),
  replicasText({ replicas: [] }),
  ...replicas.slice(0, 2).map((one) => replicaInfoText(replicaAnswer.parse(one), nowMs)),
  replicaInfoText(replicaAnswer.parse(replica('asked', null)), nowMs),
  replicaInfoText(
    replicaAnswer.parse(replica('lost-1', 'ready', {}, 'lost', false, 200_000)),
    nowMs,
  ),
  benchmarkText({ now: speed, before: null }),
  benchmarkText({
    now: speed,
    before: { ...speed, promptTokensPerSecond: 3_000, decodeTokensPerSecond: 14 },
  }),
]

test('nodes, replicas and measurements are told in 80 columns', async () => {
  const text = pages.join('\n\n---\n\n')
  await expect(`${text}\n`).toMatchFileSnapshot(golden('fleet.txt'))
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
})
