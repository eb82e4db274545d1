/** Replicas of a plan in the words of everybody else: from holdings on numbered devices. */
import type { LaunchKind } from '#core/engine-build.ts'
import type { MemoryNeed, ReplicaSetting } from '#placement/fit.ts'
import type { PlacedReplica } from '#placement/inventory.ts'
import type { PlannedReplica } from '#placement/plan.ts'
import type { Arrangement, Holding } from '#placement/planner/arrangement.ts'
import type { Fits } from '#placement/planner/ladder.ts'
import type { Problem, Wish } from '#placement/planner/problem.ts'
import type { Setup } from '#placement/planner/setup.ts'
import type { Site } from '#placement/planner/site.ts'

export function plannedReplica(
  problem: Problem,
  after: Arrangement,
  id: string,
  wish: Wish,
  holding: Holding,
): PlannedReplica {
  const { running, setup, rung } = holding
  const placed =
    running === null
      ? placedFit(holding.site, setup!, setup!.ladder.at(rung)!.fit)
      : keptFit(problem, wish, holding, running)
  return {
    id,
    deployment: wish.deployment.name,
    priority: wish.deployment.priority,
    setting: placed.setting,
    memory: {
      ...placed.memory,
      devices: placed.memory.devices.map((need, at) => ({
        ...need,
        usableBytes: usableBytes(problem, after, holding, at),
      })),
    },
    speed: placed.speed,
    keeps: running,
  }
}

/** What fit said of a device of the class, said of the devices it is about. */
export function placedFit(site: Site, setup: Setup, fit: Fits): Omit<Fits, 'kind' | 'notes'> {
  const devices = setup.locals.map((local) => site.node.devices[local]!.id)
  return {
    setting: { ...fit.setting, node: site.node.id, devices },
    memory: {
      ...fit.memory,
      devices: fit.memory.devices.map((need, at) => ({
        ...need,
        device: devices[at] ?? need.device,
      })),
    },
    speed: fit.speed,
  }
}

/** A replica that runs keeps what it was started with; what it takes is what it claims. */
function keptFit(
  problem: Problem,
  wish: Wish,
  { site, locals, needBytes, hostBytes }: Holding,
  running: PlacedReplica,
): Omit<Fits, 'kind' | 'notes'> {
  const { source, engine, backend, contextTokens, slots, memoryFraction, offload = null } = running
  const alike = problem
    .setupsFor(wish, site.machineClass)
    .possible.filter(
      (setup) =>
        wish.deployment.variants[setup.variantIndex]?.source === source &&
        problem.input.engines[setup.engineIndex]?.id === engine &&
        setup.backend === backend &&
        setup.locals.join() === locals.join(),
    )
  const [setup] = alike
  const rungs = setup?.ladder.all ?? []
  const rung =
    rungs.find(
      ({ fit: { setting } }) =>
        setting.contextTokens === contextTokens &&
        setting.slots === slots &&
        setting.memoryFraction === memoryFraction &&
        (running.kvCacheType === undefined || setting.kvCacheType === running.kvCacheType) &&
        (setting.offload === null) === (offload === null),
    ) ?? rungs[0]
  const fit = setup === undefined || rung === undefined ? null : placedFit(site, setup, rung.fit)
  const other = fit?.setting ?? unknownSetting(kindOf(site, engine))
  const setting: ReplicaSetting = {
    ...other,
    node: running.node,
    devices: running.devices,
    engine,
    backend,
    source,
    contextTokens,
    slots,
    memoryFraction,
    kvCacheType: running.kvCacheType ?? other.kvCacheType,
    offload,
  }
  const memory: MemoryNeed = {
    devices: running.devices.map((device, at) => ({
      device,
      terms: fit?.memory.devices[at]?.terms ?? [],
      needBytes: needBytes[at]!,
      usableBytes: 0,
    })),
    hostBytes,
    hostTerms: fit?.memory.hostTerms ?? [],
    kvCacheTokens: fit?.memory.kvCacheTokens ?? null,
    layersOnDevices: fit?.memory.layersOnDevices ?? null,
    confidence: running.measuredBytes === null ? 'estimated' : 'measured',
  }
  const unknownSpeed = {
    promptTokensPerSecond: null,
    decodeTokensPerSecond: null,
    startMs: null,
    basis: 'unknown' as const,
  }
  return { setting, memory, speed: fit?.speed ?? unknownSpeed }
}

function kindOf({ node }: Site, engine: PlacedReplica['engine']): LaunchKind {
  return node.engines?.find((entry) => entry.engine === engine)?.kinds[0] ?? 'native'
}

function unknownSetting(
  kind: LaunchKind,
): Pick<ReplicaSetting, 'kind' | 'tensorParallel' | 'kvCacheType' | 'offload' | 'settings'> {
  return { kind, tensorParallel: 1, kvCacheType: 'f16', offload: null, settings: [] }
}

/** What others leave of the device. */
function usableBytes(
  { sites }: Problem,
  after: Arrangement,
  { site, locals, needBytes }: Holding,
  at: number,
): number {
  const local = locals[at]
  if (local === undefined) return 0
  const others = after.usedBytes(site, local) - needBytes[at]!
  return sites.capacityBytes[site.firstDevice + local]! - others
}
