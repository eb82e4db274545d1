/** A planned replica in the words that its agent and the controller's memory have for it. */
import type { PlacedReplicaClaim } from '#controller/cluster-state.ts'
import type { Deployment } from '#core/deployment.ts'
import { claimedBytes } from '#placement/claimed-bytes.ts'
import type { MemoryNeed } from '#placement/fit.ts'
import type { PlannedReplica } from '#placement/plan.ts'
import type { ReplicaSpec } from '#protocol/agent-messages.ts'

export function plannedSpec({ id, setting }: PlannedReplica, deployment: Deployment): ReplicaSpec {
  const { source, engine, backend, devices, contextTokens, slots, kind, memoryFraction } = setting
  const { kvCacheType, offload } = setting
  return {
    id,
    model: deployment.model,
    source,
    engine,
    backend,
    deviceIndexes: null,
    contextTokens,
    slots,
    kind,
    extraArguments: [],
    task: deployment.task,
    devices: [...devices],
    memoryFraction,
    // Agents from before these refuse to hear of them, and need them only where something is unusual.
    ...(kvCacheType === 'f16' ? {} : { kvCacheType }),
    ...(offload === null ? {} : { offload }),
  }
}

export function plannedClaim(
  { deployment, setting, memory }: PlannedReplica,
  made: { readonly plan: string; readonly because: string; readonly atMs: number },
  cpuDevice: string | null,
): PlacedReplicaClaim {
  const { devices, engine, backend, kind, contextTokens, slots } = setting
  const { memoryFraction, tensorParallel, kvCacheType, offload } = setting
  return {
    deployment,
    devices: [...devices],
    engine,
    backend,
    kind,
    contextTokens,
    slots,
    memoryFraction,
    kvCacheType,
    ...(offload === null ? {} : { offload }),
    tensorParallel,
    claimedBytes: claimedBytes(memory, cpuDevice),
    estimatedBytes: estimatedBytes(memory),
    plan: made.plan,
    because: made.because,
    wantedAtMs: made.atMs,
  }
}

function estimatedBytes({ devices }: MemoryNeed): Record<string, number> {
  const sums = devices.map(({ device, terms }) => {
    const reckoned = terms.filter(({ name }) => name !== 'correction')
    return [device, reckoned.reduce((total, { bytes }) => total + bytes, 0)] as const
  })
  return Object.fromEntries(sums)
}
