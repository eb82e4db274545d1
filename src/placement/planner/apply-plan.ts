/** The inventory as it will be when every step of a plan is done. */
import { claimedBytes } from '#placement/claimed-bytes.ts'
import type { Inventory, PlacedReplica } from '#placement/inventory.ts'
import type { Plan, PlannedReplica } from '#placement/plan.ts'

export function applyPlan(inventory: Inventory, plan: Plan): Inventory {
  let replicas: readonly PlacedReplica[] = inventory.replicas
  for (const step of plan.steps) {
    replicas =
      step.kind === 'stop'
        ? replicas.filter(({ id }) => id !== step.replica.id)
        : [...replicas, placedReplicaOf(step.replica, inventory)]
  }
  return { ...inventory, replicas }
}

export function placedReplicaOf(planned: PlannedReplica, inventory: Inventory): PlacedReplica {
  const { setting, memory } = planned
  const node = inventory.nodes.find(({ id }) => id === setting.node)
  const cpu = node?.devices.find(({ device }) => device.vendor === 'cpu')
  return {
    id: planned.id,
    deployment: planned.deployment,
    node: setting.node,
    devices: setting.devices,
    engine: setting.engine,
    backend: setting.backend,
    source: setting.source,
    contextTokens: setting.contextTokens,
    slots: setting.slots,
    memoryFraction: setting.memoryFraction,
    kvCacheType: setting.kvCacheType,
    offload: setting.offload,
    ready: true,
    claimedBytes: claimedBytes(memory, cpu?.id ?? null),
    measuredBytes: null,
  }
}
