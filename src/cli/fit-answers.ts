/** Asks placement about every variant of a model on every kind of device of a fleet. */
import type { FitModel } from '#cli/fit-model.ts'
import type { Deployment, ModelVariant } from '#core/deployment.ts'
import type { Backend, LaunchKind } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { KvCacheType } from '#core/engine-memory.ts'
import { engineCatalog } from '#engines/index.ts'
import { speedReferences } from '#hardware/speed-references.ts'
import { compatibleWays } from '#placement/compatibility/solve-compatibility.ts'
import { type Blocker, type Fit, type FitQuestion, noLimits } from '#placement/fit.ts'
import { createFitReplica } from '#placement/fit-replica.ts'
import type { Inventory, PlacementDevice, PlacementNode } from '#placement/inventory.ts'
import { deviceRoom } from '#placement/memory/device-room.ts'

export interface FitWish {
  readonly contextTokens: number | null
  readonly slots: number | null
  /** Numbers that keys and values may be kept in, the one to prefer first; null: f16 alone. */
  readonly kvCacheTypes: readonly KvCacheType[] | null
  /** Whether layers may be left to the CPU. */
  readonly offload: boolean
}

/** Devices of a node that are asked about together: one, or several of a kind. */
export interface FitPlace {
  readonly node: PlacementNode
  readonly devices: readonly PlacementDevice[]
  readonly usableBytes: number
  readonly totalBytes: number
}

export interface FitAnswer {
  readonly variant: ModelVariant
  readonly engine: EngineFacts
  readonly backend: Backend
  readonly kind: LaunchKind
  readonly fit: Fit
}

const fitReplica = createFitReplica(speedReferences)

/**
 * Each kind of device of each node once, and all of a kind together. A recording runs nothing, and is
 * looked at only where there is nothing else.
 */
export function fitPlaces({ nodes, replicas }: Inventory): readonly FitPlace[] {
  const machines = nodes.filter(({ isRecording }) => isRecording !== true)
  return (machines.length > 0 ? machines : nodes).flatMap((node) => {
    const promised = promisedOn(node.id, replicas)
    const usable = node.devices.filter(({ device }) => device.schedulable)
    const kinds = new Map<string, PlacementDevice[]>()
    for (const each of usable) {
      const key = `${each.device.vendor} ${each.device.name} ${each.device.memoryBytes}`
      kinds.set(key, [...(kinds.get(key) ?? []), each])
    }
    return [...kinds.values()].flatMap((alike) => {
      const [first] = alike
      if (first === undefined) return []
      const sets = alike.length > 1 ? [[first], alike] : [[first]]
      return sets.map((devices) => {
        const rooms = devices.map((device) => deviceRoom(device, node, promised))
        return {
          node,
          devices,
          usableBytes: sum(rooms.map(({ usableBytes }) => usableBytes)),
          totalBytes: sum(rooms.map(({ totalBytes }) => totalBytes)),
        }
      })
    })
  })
}

/** One answer a variant: by the engine that suits it best there. Variants nobody reads are left out. */
export function fitAnswers(
  model: FitModel,
  place: FitPlace,
  inventory: Inventory,
  wish: FitWish,
): readonly FitAnswer[] {
  return model.variants.flatMap(
    (variant) => bestAnswer(model, variant, place, inventory, wish) ?? [],
  )
}

/** More bits are worth more than speed, down to the context of a conversation. */
const contextWorth = 8_192
const bitsWorth = 4

/** The one to take where nothing else is asked for; null where none fits. */
export function bestFit(answers: readonly FitAnswer[]): FitAnswer | null {
  // Layers on the CPU cost more speed than bits are worth: as few of them as there must be.
  const fitting = answers
    .filter(({ fit }) => fit.kind === 'fits')
    .toSorted((one, other) => layersOnHost(one) - layersOnHost(other))
  const good = fitting.find(
    ({ fit, variant }) =>
      fit.kind === 'fits' &&
      (variant.facts?.bitsPerWeight ?? 0) >= bitsWorth &&
      (fit.memory.kvCacheTokens === null || fit.setting.contextTokens >= contextWorth),
  )
  return good ?? fitting.at(0) ?? null
}

/** A part of the layers, as models differ in how many they have. */
function layersOnHost({ fit }: FitAnswer): number {
  const offload = fit.kind === 'fits' ? fit.setting.offload : null
  if (offload === null) return 0
  const { layersOnHost: whole, expertLayersOnHost: experts, layerCount } = offload
  return (whole + experts) / layerCount
}

/** Software that would run it there, and that only has to be installed first. */
export function missingSoftware(answers: readonly FitAnswer[]): readonly string[] {
  const names = answers.flatMap(({ engine, fit }) => {
    if (fit.kind === 'fits' || !fit.blockers.every(isMissing)) return []
    return fit.blockers.some(({ check }) => check === 'installed') ? [engine.id] : [containers]
  })
  return [...new Set(names)]
}

const containers = 'Docker or Podman'

/** What a person can install, and no device. */
const isMissing = ({ check, code }: Blocker) =>
  check === 'installed' || code === 'no-container-software'

function bestAnswer(
  model: FitModel,
  variant: ModelVariant,
  { node, devices }: FitPlace,
  inventory: Inventory,
  wish: FitWish,
): FitAnswer | null {
  const answers = engineCatalog
    .filter(({ weightsFormats, id }) => {
      const allowed = variant.engines === null || variant.engines.includes(id)
      return allowed && weightsFormats.includes(variant.format)
    })
    .flatMap((engine): FitAnswer[] => {
      const [way] = compatibleWays({
        engine,
        node: { ...node, devices: node.devices.map(({ device }) => device) },
        devices: devices.map(({ device }) => device),
        format: variant.format,
        model: variant.facts,
        task: model.task,
        features: [],
        targets: null,
      })
      if (way === undefined) return []
      const { backend, kind } = way
      const question: FitQuestion = {
        deployment: deploymentOf(model, wish),
        ...{ variant, engine, backend, kind, node, devices },
        promisedBytes: promisedOn(node.id, inventory.replicas),
        limits: noLimits,
        suggests: true,
        memory: inventory.memory,
        speeds: inventory.speeds,
      }
      return [{ variant, engine, backend, kind, fit: fitReplica(question) }]
    })
  const isChat = model.task === 'chat'
  return (
    answers.toSorted(
      (a, b) => rankOf(a) - rankOf(b) || (isChat ? 0 : needOf(a.fit) - needOf(b.fit)),
    )[0] ?? null
  )
}

/** Where nothing is written word by word, the engine that takes least is best. */
function needOf({ memory }: Fit): number {
  return sum((memory?.devices ?? []).map(({ needBytes }) => needBytes))
}

/**
 * What fits comes first, then what would with more memory, then what no engine does, as a context
 * that nobody trained it for, then what only has to be installed, then what cannot run there at all.
 */
function rankOf({ fit }: FitAnswer): number {
  if (fit.kind === 'fits') return 0
  if (fit.blockers.every(({ check }) => check === 'memory')) return 1
  if (fit.blockers.every(({ check }) => check === 'context')) return 2
  return fit.blockers.every(isMissing) ? 3 : 4
}

function deploymentOf(model: FitModel, wish: FitWish): Deployment {
  return {
    name: model.name,
    task: model.task,
    model: model.name,
    variants: model.variants,
    replicas: { min: 1, max: 1 },
    ...wish,
    targets: { ttftMs: null, tpotMs: null, tokensPerSecond: null, startMs: null, bestEffort: true },
    constraints: {
      ...{ backends: null, engines: null, nodes: null, labels: {}, minVramBytes: null },
      ...{ tolerations: [], awayFrom: [] },
    },
    priority: 'normal',
    share: false,
  }
}

function promisedOn(node: string, replicas: Inventory['replicas']): Record<string, number> {
  const promised: Record<string, number> = {}
  for (const replica of replicas.filter((each) => each.node === node)) {
    for (const device of replica.devices) {
      const claimed = replica.claimedBytes[device] ?? 0
      const measured = replica.measuredBytes?.[device] ?? 0
      promised[device] = (promised[device] ?? 0) + Math.max(claimed, measured)
    }
  }
  return promised
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
