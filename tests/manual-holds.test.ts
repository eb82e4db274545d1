/** Memory of replicas that were started by hand, from the wish until they are measured. */
import { expect, test } from 'vitest'
import { namedNode } from '#cli/fit-fleet.ts'
import { planLocally } from '#cli/local-planner.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import { motleyConfig } from '#core/config/document.ts'
import { engineCatalog } from '#engines/index.ts'
import type { Inventory, ManualStart } from '#placement/inventory.ts'
import { withManualHolds } from '#placement/manual-holds.ts'
import { catalogVariant } from '#weights/catalog/model-catalog.ts'

const gpu = namedNode('rtx-4090')
const file = catalogVariant('llama-3.1-8b', 'Q8_0')
if (file === null) throw new Error('no such file')
const factsOf = (source: string) => (source === file.source ? file.facts : null)

const start: ManualStart = {
  id: 'by-hand-1',
  node: gpu.id,
  source: file.source,
  engine: null,
  backend: null,
  kind: 'native',
  contextTokens: 32_768,
  slots: 2,
}

function fleetWith(...starting: ManualStart[]): Inventory {
  return { nodes: [gpu], replicas: [], memory: [], speeds: [], starting }
}

const { deployments } = wishesOf(
  motleyConfig.parse({
    deployments: {
      chat: {
        model: 'llama-3.1-8b',
        context: 32_768,
        share: true,
        constraints: { engines: ['llama-server'] },
      },
    },
  }),
)

function placesOf(inventory: Inventory) {
  const asked = { wantedReplicas: {}, reserve: 'none', frozen: false } as const
  const plan = planLocally({ ...asked, deployments, inventory, engines: engineCatalog })
  return plan.replicas.map(({ setting }) => setting.source)
}

test('what is on its way holds what it is reckoned to take, where its agent will put it', () => {
  const { replicas, starting } = withManualHolds(fleetWith(start), engineCatalog, factsOf)
  expect(starting).toBeUndefined()
  expect(replicas).toMatchObject([
    { id: 'by-hand-1', deployment: null, devices: ['nvidia-0'], backend: 'cuda', ready: false },
  ])
  // 8.1 GiB of weights without the embedding, 8 GiB of KV cache, buffers and the process.
  expect((replicas[0]?.claimedBytes['nvidia-0'] ?? 0) / 2 ** 30).toBeCloseTo(16.1, 0)
})

test('a plan gives that memory to nobody else', () => {
  expect(placesOf(withManualHolds(fleetWith(), engineCatalog, factsOf))).toHaveLength(1)
  expect(placesOf(withManualHolds(fleetWith(start), engineCatalog, factsOf))).toEqual([])
})

test('weights that nobody has read, and nodes that are not there, hold nothing', () => {
  const unknown = { ...start, source: 'hf:nobody/knows' }
  const elsewhere = { ...start, node: 'elsewhere' }
  const { replicas } = withManualHolds(fleetWith(unknown, elsewhere), engineCatalog, factsOf)
  expect(replicas).toEqual([])
})
