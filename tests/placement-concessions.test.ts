/** What a deployment may give up so that it fits, and never gives up by itself. */
import { expect, test } from 'vitest'
import { namedNode } from '#cli/fit-fleet.ts'
import { planLocally } from '#cli/local-planner.ts'
import { planText } from '#cli/plan-text.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import { plannedSpec } from '#controller/reconcile/planned-spec.ts'
import { motleyConfig } from '#core/config/document.ts'
import { engineCatalog } from '#engines/index.ts'
import { speedReferences } from '#hardware/speed-references.ts'
import { noLimits } from '#placement/fit.ts'
import { createFitReplica } from '#placement/fit-replica.ts'
import type { PlacementNode } from '#placement/inventory.ts'
import type { PlanInput } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { catalogVariant } from '#weights/catalog/model-catalog.ts'

const threeCards = namedNode('3 x rtx-4090')

type Written = Readonly<Record<string, unknown>>

/** An RTX 4090 of 24 GB in a machine of 64 GiB. */
const desk = ((gpu, { devices }) => ({ ...gpu, devices: [...gpu.devices, ...devices] }))(
  namedNode('rtx-4090'),
  namedNode('ryzen-7950x 64GiB'),
)

/** A model of the catalogue with these files alone. */
function variantOf(model: string): readonly [string, unknown] {
  const [name = '', quantization = ''] = model.split(':')
  return [model, { variants: [{ source: catalogVariant(name, quantization)?.source }] }]
}

const models = Object.fromEntries(
  ['llama-3.1-8b:Q4_K_M', 'llama-3.1-8b:BF16', 'llama-3.1-70b:Q4_K_M', 'qwen3-30b-a3b:Q8_0'].map(
    variantOf,
  ),
)

function inputOf(
  written: Record<string, Written>,
  nodes: readonly PlacementNode[] = [desk],
): PlanInput {
  const { deployments } = wishesOf(motleyConfig.parse({ models, deployments: written }))
  return {
    deployments,
    inventory: { nodes, replicas: [], memory: [], speeds: [] },
    engines: engineCatalog,
    wantedReplicas: {},
    reserve: 'none',
    frozen: false,
  }
}

function settingsOf(input: PlanInput) {
  return planLocally(input).replicas.map(({ setting }) => setting)
}

const gpu = { constraints: { backends: ['cuda'] } }

/** 16 GiB of keys and values in 16 bit beside 4.3 GiB of weights; 21.6 GiB may be promised. */
const long = { model: 'llama-3.1-8b:Q4_K_M', context: 131_072, slots: 1 }

test('a long context that does not fit in 16 bit has no place, and the plan says how it would', () => {
  const input = inputOf({ chat: { ...long, ...gpu } })
  const plan = planLocally(input)
  expect(plan.replicas).toEqual([])
  const said = plan.unplaced.flatMap(({ because }) => because.map(({ unlockedBy }) => unlockedBy))
  expect(said.join(' ')).toContain('kvCacheTypes: [f16, q8_0]')
})

test('with kvCacheTypes it has one, with the first type that fits, and says so', () => {
  const input = inputOf({ chat: { ...long, kvCacheTypes: ['f16', 'q8_0', 'q4_0'] } })
  const plan = planLocally(input)
  expect(plan.replicas[0]?.setting).toMatchObject({ kvCacheType: 'q8_0', contextTokens: 131_072 })
  expect(planText(input, plan)).toMatch(/KV cache in q8_0/)
  expect(plan.steps[0]?.because).toContain('kvCacheTypes allows q8_0')
})

test('what fits in 16 bit stays there, whatever is allowed besides', () => {
  const [setting] = settingsOf(
    inputOf({ chat: { ...long, context: 8_192, kvCacheTypes: ['f16', 'q8_0'], offload: true } }),
  )
  expect(setting).toMatchObject({ kvCacheType: 'f16', offload: null, backend: 'cuda' })
})

/** 42.5 GB of weights: on a GPU with 24 GB, or on the CPU beside it. */
const large = { model: 'llama-3.1-70b:Q4_K_M', context: 4_096, slots: 1 }

test('a model that is larger than the device has no place on it until offload is allowed', () => {
  const refused = planLocally(inputOf({ big: { ...large, ...gpu } }))
  expect(refused.replicas).toEqual([])
  const ways = refused.unplaced.flatMap(({ because }) => because.map((one) => one.unlockedBy))
  expect(ways.join(' ')).toContain('offload: true')

  const input = inputOf({ big: { ...large, ...gpu, offload: true } })
  const plan = planLocally(input)
  const [replica] = plan.replicas
  const { offload, engine } = replica?.setting ?? {}
  expect(engine).toBe('llama-server')
  expect(offload).toMatchObject({ layerCount: 80, expertLayersOnHost: 0 })
  expect(replica?.memory.layersOnDevices).toEqual({
    count: 80 - (offload?.layersOnHost ?? 0),
    of: 80,
  })
  expect(replica?.memory.hostBytes).toBeGreaterThan(2 ** 34)
  expect(planText(input, plan)).toMatch(/\d\d of its 80\s+layers on the CPU/)
})

test('of a mixture of experts the experts alone stay behind', () => {
  const [setting] = settingsOf(
    inputOf({ moe: { model: 'qwen3-30b-a3b:Q8_0', context: 8_192, offload: true } }),
  )
  expect(setting?.offload).toMatchObject({ layerCount: 48, layersOnHost: 0 })
  expect(setting?.offload?.expertLayersOnHost).toBeGreaterThan(0)
})

test('devices that hold it all are taken before fewer that do not', () => {
  const [setting] = settingsOf(inputOf({ big: { ...large, offload: true } }, [threeCards]))
  expect(setting).toMatchObject({ devices: ['nvidia-0', 'nvidia-1', 'nvidia-2'], offload: null })
})

test('a target that the CPU would miss is not given up with the layers', () => {
  const targets = { tpotMs: 50 }
  expect(settingsOf(inputOf({ big: { ...large, offload: true, targets } }))).toEqual([])
})

test('what is given up reaches the agent, and a plan that was carried out is done', () => {
  const input = inputOf(
    {
      big: { ...large, offload: true },
      chat: { ...long, kvCacheTypes: ['q8_0'] },
    },
    [desk, { ...threeCards, id: 'other', name: 'other' }],
  )
  const plan = planLocally(input)
  for (const replica of plan.replicas) {
    const deployment = input.deployments.find(({ name }) => name === replica.deployment)
    if (deployment === undefined) throw new Error('no deployment')
    const { kvCacheType, offload } = plannedSpec(replica, deployment)
    expect(kvCacheType ?? 'f16').toBe(replica.setting.kvCacheType)
    expect(offload ?? null).toEqual(replica.setting.offload)
  }
  expect(plan.replicas.map(({ setting }) => setting.kvCacheType).toSorted()).toContain('q8_0')
  const after = { ...input, inventory: applyPlan(input.inventory, plan) }
  expect(planLocally(after).steps).toEqual([])
})

test('what its owner does not allow any more moves', () => {
  const before = inputOf({ chat: { ...long, kvCacheTypes: ['f16', 'q8_0'] } })
  const inventory = applyPlan(before.inventory, planLocally(before))
  const now = inputOf({ chat: { ...long, context: 65_536 } })
  const same = inputOf({ chat: { ...long, kvCacheTypes: ['q8_0'] } })
  expect(planLocally({ ...same, inventory }).steps).toEqual([])
  expect(planLocally({ ...now, inventory }).steps.length).toBeGreaterThan(0)
})

test('FP8 is for devices that have it: an RTX 3090 keeps 16 bit, and says why', () => {
  const old = namedNode('rtx-3090')
  const wish = {
    model: 'llama-3.1-8b:BF16',
    context: 8_192,
    kvCacheTypes: ['fp8'],
    constraints: { engines: ['vllm'] },
  }
  const [unplaced] = planLocally(inputOf({ chat: wish }, [old])).unplaced
  expect(unplaced?.because).toContainEqual(
    expect.objectContaining({ code: 'kernel-mismatch', what: expect.stringContaining('sm_89') }),
  )
  const [setting] = settingsOf(inputOf({ chat: wish }))
  expect(setting).toMatchObject({ engine: 'vllm', kvCacheType: 'fp8' })
})

test('a type that no engine here has is refused by name', () => {
  const wish = {
    model: 'llama-3.1-8b:BF16',
    kvCacheTypes: ['q4_0'],
    constraints: { engines: ['vllm'] },
  }
  const [unplaced] = planLocally(inputOf({ chat: wish })).unplaced
  expect(unplaced?.because.map(({ check }) => check)).toContain('kv-cache')
})

test('what is kept says why it stays', () => {
  const input = inputOf({ chat: { ...long, context: 8_192, ...gpu } })
  const done = applyPlan(input.inventory, planLocally(input))
  const texts = (
    [
      { ready: true, frozen: false },
      { ready: false, frozen: false },
      { ready: true, frozen: true },
    ] as const
  ).map(({ ready, frozen }) => {
    const inventory = { ...done, replicas: done.replicas.map((one) => ({ ...one, ready })) }
    const after = { ...input, inventory, frozen }
    return planText(after, planLocally(after))
  })
  expect(texts[0]).toMatch(
    /^= chat-0 .*\n +stays: it runs there, and no other place is worth a move$/m,
  )
  expect(texts[1]).toContain('stays: it is starting there already')
  expect(texts[2]).toContain('stays: nothing is moved while most nodes are lost')
})

test('a fit that is asked for with layers on the CPU says why where it answers no', () => {
  const fitReplica = createFitReplica(speedReferences)
  const ask = (offload: boolean) => {
    const { deployments } = inputOf({ chat: { ...long, offload } })
    const [deployment] = deployments
    const [variant] = deployment?.variants ?? []
    const engine = engineCatalog.find(({ id }) => id === 'llama-server')
    if (deployment === undefined || variant === undefined || engine === undefined) throw new Error()
    return fitReplica({
      ...{ deployment, variant, engine, backend: 'cuda', kind: 'native', node: desk },
      ...{ devices: desk.devices.slice(0, 1), promisedBytes: {}, memory: [], speeds: [] },
      limits: { ...noLimits, hostLayersMin: 32 },
    })
  }
  expect(ask(false)).toMatchObject({
    kind: 'no',
    blockers: [
      {
        check: 'memory',
        what: expect.stringContaining('not allowed'),
        unlockedBy: 'offload: true',
      },
    ],
  })
  expect(ask(true)).toMatchObject({
    kind: 'no',
    blockers: [
      { check: 'memory', what: 'with 32 layers or more of it on the CPU, no setting fits' },
    ],
  })
})
