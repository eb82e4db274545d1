/** Small fleets of every kind, with what a planner left on them before somebody changed their mind. */
import fc from 'fast-check'
import { type Deployment, priorities, taintEffects } from '#core/deployment.ts'
import type { PlacedReplica, PlacementDevice, PlacementNode } from '#placement/inventory.ts'
import type { Plan, PlanInput, Planner } from '#placement/plan.ts'
import {
  cpu,
  deployment,
  nvidia,
  placementDevice,
  placementNode,
  planInput,
  variant,
} from '#testing/placement-input.ts'

const gibibyte = 2 ** 30
const nodeNames = ['a', 'b', 'c', 'd']
const deploymentNames = ['p', 'q', 'r', 's', 't', 'u']

const anyDevices: fc.Arbitrary<readonly PlacementDevice[]> = fc.oneof(
  fc.constant([cpu(16)]),
  fc.constantFrom(8, 12, 24, 48).map((gib) => [nvidia(gib), cpu(32)]),
  fc.constant([nvidia(24, 0), nvidia(24, 1), cpu(64)]),
  fc.constant([placementDevice('apple-0', 'apple', 64, 400), cpu(64)]),
)

const anyNode = (name: string): fc.Arbitrary<PlacementNode> =>
  fc
    .record({
      devices: anyDevices,
      presence: fc.constantFrom('ready', 'ready', 'ready', 'ready', 'suspect', 'lost'),
      draining: fc.constantFrom(false, false, false, false, true),
      room: fc.constantFrom('rack', 'desk'),
      taints: fc.array(fc.constantFrom(...taintEffects), { maxLength: 1 }),
      foreignGib: fc.constantFrom(0, 0, 0, 2),
      weights: fc.subarray(deploymentNames),
    })
    .map(({ devices, presence, draining, room, taints, foreignGib, weights }) =>
      placementNode(
        name,
        devices.map((device) => ({ ...device, foreignBytes: foreignGib * gibibyte })),
        {
          presence: presence as PlacementNode['presence'],
          draining,
          labels: { room },
          taints: taints.map((effect) => ({ key: 'dedicated', value: 'x', effect })),
          weights: weights.map((one) => `hf:test/${one}`),
        },
      ),
    )

const anyDeployment = (name: string): fc.Arbitrary<Deployment> =>
  fc
    .record({
      gib: fc.constantFrom(1, 3, 6, 12, 20, 40),
      format: fc.constantFrom('gguf', 'gguf', 'safetensors', 'both'),
      min: fc.constantFrom(0, 1, 1, 1, 2, 3),
      contextTokens: fc.constantFrom(null, null, 4_096, 16_384),
      kvCacheTypes: fc.constantFrom(null, null, ['f16', 'q8_0'] as const, ['q8_0'] as const),
      priority: fc.constantFrom(...priorities),
      share: fc.boolean(),
      tolerates: fc.boolean(),
      awayFrom: fc.subarray(deploymentNames, { maxLength: 1 }),
      backends: fc.constantFrom(null, null, null, ['cuda'] as const, ['metal', 'cpu'] as const),
      nodes: fc.constantFrom(null, null, null, null, ['a'], ['b', 'c']),
      labels: fc.constantFrom({}, {}, {}, { room: 'rack' }),
    })
    .map(({ gib, format, min, contextTokens, kvCacheTypes, ...rest }) => {
      const { priority, share, tolerates, ...constraints } = rest
      const gguf = variant(`hf:test/${name}`, gib)
      const safetensors = variant(`hf:test/${name}-st`, gib * 1.5, { format: 'safetensors' })
      const variants =
        format === 'both' ? [safetensors, gguf] : [format === 'gguf' ? gguf : safetensors]
      return deployment(name, gib, {
        variants,
        replicas: { min, max: Math.max(1, min) },
        contextTokens,
        kvCacheTypes,
        priority,
        share,
        constraints: {
          ...constraints,
          tolerations: tolerates ? [{ key: 'dedicated', value: null, effect: null }] : [],
        },
      })
    })

const anyNodes = fc
  .tuple(...nodeNames.map(anyNode))
  .chain((nodes) => fc.integer({ min: 1, max: nodes.length }).map((count) => nodes.slice(0, count)))
const anyDeployments = fc
  .tuple(...deploymentNames.map(anyDeployment))
  .chain((all) => fc.subarray(all))

/** A fleet on which other deployments were planned before, when all nodes were well. */
export function anyFleet(planner: Planner): fc.Arbitrary<PlanInput> {
  return fc
    .record({
      nodes: anyNodes,
      before: anyDeployments,
      now: anyDeployments,
      keeps: fc.integer({ min: 0, max: deploymentNames.length }),
      ready: fc.infiniteStream(fc.constantFrom(true, true, true, false)),
      frozen: fc.constantFrom(false, false, false, false, false, true),
      reserve: fc.constantFrom('none', 'none', 'n-1'),
    })
    .map(({ nodes, before, now, keeps, ready, frozen, reserve }) => {
      const well = nodes.map((node) => ({
        ...node,
        presence: 'ready' as const,
        draining: false,
        taints: [],
      }))
      const earlier = planInput(well, before)
      const replicas = carriedOut(planner(earlier)).map((replica) => ({
        ...replica,
        ready: ready.next().value,
      }))
      // Some deployments are still as they were; the others are new, changed or gone.
      const kept = before.slice(0, keeps)
      const names = new Set(kept.map(({ name }) => name))
      const deployments = [...kept, ...now.filter(({ name }) => !names.has(name))]
      return planInput(nodes, deployments, {
        inventory: { nodes, replicas, memory: [], speeds: [] },
        frozen,
        reserve: reserve as PlanInput['reserve'],
      })
    })
}

function carriedOut({ replicas }: Plan): PlacedReplica[] {
  return replicas.map(({ id, deployment: name, setting, memory }) => ({
    id,
    deployment: name,
    node: setting.node,
    devices: setting.devices,
    engine: setting.engine,
    backend: setting.backend,
    source: setting.source,
    contextTokens: setting.contextTokens,
    slots: setting.slots,
    memoryFraction: setting.memoryFraction,
    kvCacheType: setting.kvCacheType,
    ready: true,
    claimedBytes: Object.fromEntries(
      memory.devices.map(({ device, needBytes }) => [device, Math.ceil(needBytes)]),
    ),
    measuredBytes: null,
  }))
}

/** A fleet in a few lines, for whoever reads why a property failed. */
export function fleetText({ deployments, inventory, frozen, reserve }: PlanInput): string {
  const nodes = inventory.nodes.map(({ name, presence, draining, labels, taints, devices }) =>
    [
      `node ${name} ${presence}${draining ? ' draining' : ''} ${JSON.stringify(labels)}`,
      ...taints.map(({ effect }) => effect),
      ...devices.map(
        ({ id, device, foreignBytes }) =>
          `${id}:${device.memoryBytes! / gibibyte}-${foreignBytes / gibibyte}`,
      ),
    ].join(' '),
  )
  const wishes = deployments.map(
    ({ name, priority, replicas, share, contextTokens, constraints, variants }) =>
      [
        `deployment ${name} ${priority} × ${replicas.min}${share ? ' shares' : ''}`,
        contextTokens ?? '',
        variants.map(({ format, facts }) => `${format}:${facts!.tensorBytes / gibibyte}`).join(),
        JSON.stringify(constraints),
      ].join(' '),
  )
  const running = inventory.replicas.map(
    ({ id, node, source, ready, claimedBytes, contextTokens }) =>
      `replica ${id} at ${node}${ready ? '' : ' not ready'} ${source} ${contextTokens} ${Object.entries(
        claimedBytes,
      )
        .map(([device, bytes]) => `${device}:${(bytes / gibibyte).toFixed(1)}`)
        .join(' ')}`,
  )
  return [...nodes, ...wishes, ...running, `${frozen ? 'frozen ' : ''}${reserve}`].join('\n')
}
