/** Many deployments that share few devices, each in a setting small enough for all of them. */
import { expect, test } from 'vitest'
import { namedNode } from '#cli/fit-fleet.ts'
import { searchLocally } from '#cli/local-planner.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import { motleyConfig } from '#core/config/document.ts'
import { engineCatalog } from '#engines/index.ts'

const kinds = [
  { model: 'llama-3.1-8b' },
  { model: 'qwen2.5-7b' },
  { model: 'bge-m3', task: 'embedding' },
  { model: 'whisper-large-v3-turbo', task: 'transcription' },
  { model: 'kokoro-82m', task: 'speech' },
  { model: 'qwen2.5-0.5b' },
  { model: 'llama-3.2-3b' },
  { model: 'bge-reranker-v2-m3', task: 'rerank' },
]

const nodes = ['2 x rtx-4090', '2 x rtx-3090', 'rtx-2070', 'a100-pcie-80'].map((name) => {
  const machine = namedNode('ryzen-7950x 64GiB')
  const gpus = namedNode(name)
  return { ...gpus, devices: [...gpus.devices, ...machine.devices] }
})

test('forty-eight that share four machines all have a place, and none is promised twice', () => {
  const { deployments } = wishesOf(
    motleyConfig.parse({
      deployments: Object.fromEntries(
        Array.from({ length: 48 }, (_, at) => [
          `d${at}`,
          {
            ...kinds[at % kinds.length],
            share: true,
            ...(at % 3 === 0 ? { targets: { tpotMs: 50, bestEffort: true } } : {}),
          },
        ]),
      ),
    }),
  )
  const plan = searchLocally({
    deployments,
    inventory: { nodes, replicas: [], memory: [], speeds: [] },
    engines: engineCatalog,
    wantedReplicas: {},
    reserve: 'none',
    frozen: false,
  })
  expect(plan.unplaced).toEqual([])
  const held = new Map<string, number>()
  for (const { setting, memory } of plan.replicas) {
    for (const { device, needBytes } of memory.devices) {
      const key = `${setting.node} ${device}`
      held.set(key, (held.get(key) ?? 0) + needBytes)
    }
  }
  for (const node of nodes) {
    for (const { id, device } of node.devices) {
      expect(held.get(`${node.id} ${id}`) ?? 0).toBeLessThan(device.memoryBytes ?? 0)
    }
  }
})
