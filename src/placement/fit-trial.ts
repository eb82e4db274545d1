/** One setting on given devices: what it takes, and what is missing for it. */
import type { KvCacheType, Offload } from '#core/engine-memory.ts'
import { memoryText } from '#core/memory-text.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import type { Blocker, FitQuestion, MemoryNeed, ReplicaSetting } from '#placement/fit.ts'
import { type Shortage, shortagesOf } from '#placement/memory/accept-memory.ts'
import { correctMemory } from '#placement/memory/correct-memory.ts'
import { countText } from '#placement/memory/count-text.ts'
import { deviceRoom, hostRoomBytes } from '#placement/memory/device-room.ts'
import { estimateMemory } from '#placement/memory/estimate-memory.ts'
import { fractionWithoutPool, usualFraction } from '#placement/memory/fraction.ts'
import { kvShape } from '#placement/memory/kv-cache.ts'

export interface TrialSetting extends FitQuestion {
  readonly contextTokens: number
  readonly slots: number
  /** Null: the engine's best. */
  readonly kvCacheType: KvCacheType | null
  readonly offload: Offload | null
}

export interface FitTrial {
  readonly facts: ModelFacts
  readonly setting: ReplicaSetting
  readonly memory: MemoryNeed
  /** Empty when it fits. */
  readonly missing: readonly Blocker[]
  readonly shortages: readonly Shortage[]
}

export function doesFit(trial: FitTrial | null): trial is FitTrial {
  return trial !== null && trial.missing.length === 0
}

/**
 * Of the tokens that a pool is reckoned to hold, what may be counted on: an engine whose pool does
 * not hold one whole request ends at start.
 */
const poolTokensRatio = 0.95

/** Null where nobody has read the headers. */
export function tryFit(trial: TrialSetting): FitTrial | null {
  const { variant, engine, devices, node, backend, kind, deployment, limits } = trial
  const { facts } = variant
  if (facts === null) return null
  const rooms = devices.map((device) => deviceRoom(device, node, trial.promisedBytes))
  const tensorParallel = engine.spread === 'tensor-parallel' ? devices.length : 1
  const kvTypes = engine.memory.kind === 'weights-only' ? [] : engine.memory.kvCacheTypes
  const kvCacheType = trial.kvCacheType ?? kvTypes[0] ?? 'f16'
  const memoryFraction = fractionOf(trial, tensorParallel, rooms)
  const { contextTokens, slots, offload } = trial
  const estimated = estimateMemory({
    facts,
    engine: engine.memory,
    backend,
    devices: rooms,
    contextTokens,
    slots,
    kvCacheType,
    flashAttention: null,
    memoryFraction,
    tensorParallel,
    offload,
  })
  const quantization = facts.quantization
  const memory =
    engine.memory.kind === 'fraction'
      ? estimated
      : correctMemory(
          estimated,
          {
            engine: engine.id,
            backend,
            model: deployment.model,
            quantization,
            contextTokens,
            slots,
          },
          trial.memory,
        )
  const setting: ReplicaSetting = {
    node: node.id,
    devices: devices.map(({ id }) => id),
    engine: engine.id,
    backend,
    kind,
    source: variant.source,
    contextTokens,
    slots,
    memoryFraction,
    tensorParallel,
    kvCacheType,
    offload,
    settings: [],
  }
  const hostRoom = hostRoomBytes(node, trial.promisedBytes)
  const shortages = shortagesOf(memory, engine.memory.kind, hostRoom)
  const missing = [
    ...shortages.map((shortage) => shortageBlocker(shortage, trial)),
    ...poolBlockers(memory, trial),
    ...fractionBlockers(limits.memoryFraction, rooms, engine.memory),
  ]
  return { facts, setting, memory, missing, shortages }
}

function fractionOf(
  { engine: { memory }, limits, variant: { facts }, backend, slots }: TrialSetting,
  tensorParallel: number,
  rooms: readonly { readonly totalBytes: number; readonly usableBytes: number }[],
): number | null {
  if (memory.kind !== 'fraction') return null
  if (limits.memoryFraction !== null) return limits.memoryFraction
  if (memory.covers === 'kv-of-rest') return memory.fractionUsual
  if (facts !== null && kvShape(facts, 'f16')?.bytesPerTokenByLayer.length === 0) {
    const smallest = Math.min(...rooms.map(({ totalBytes }) => totalBytes))
    return fractionWithoutPool(memory, { facts, backend, slots, tensorParallel }, smallest)
  }
  return Math.min(
    ...rooms.map(({ totalBytes, usableBytes }) => usualFraction(memory, totalBytes, usableBytes)),
  )
}

function shortageBlocker(
  { device, needBytes, usableBytes, promisableBytes }: Shortage,
  { devices, node }: TrialSetting,
): Blocker {
  const name =
    device === null
      ? `the memory of ${node.name}`
      : (devices.find(({ id }) => id === device)?.device.name ?? device)
  const shortBytes = needBytes - promisableBytes
  // Without it, the sum would not come out.
  const doubt =
    promisableBytes < usableBytes
      ? `, of which an estimate may take ${memoryText(promisableBytes)}`
      : ''
  return {
    check: 'memory',
    what: `it needs ${memoryText(needBytes)} of ${name}, where ${memoryText(usableBytes)} are usable${doubt}`,
    unlockedBy: `${memoryText(shortBytes)} more`,
    short: [{ device, neededBytes: needBytes, freeBytes: promisableBytes, shortBytes }],
    excess: { of: device ?? 'machine', ratio: needBytes / Math.max(1, promisableBytes) },
  }
}

function poolBlockers(memory: MemoryNeed, trial: TrialSetting): readonly Blocker[] {
  if (trial.engine.memory.kind !== 'fraction' || memory.kvCacheTokens === null) return []
  const tokens = Math.floor(memory.kvCacheTokens * poolTokensRatio)
  if (tokens >= trial.contextTokens) return []
  return [
    {
      check: 'memory',
      what:
        tokens > 0
          ? `its KV cache holds ${countText(tokens)} tokens, and one request may be ${countText(trial.contextTokens)} long`
          : 'weights and buffers leave no room for a KV cache',
      unlockedBy: tokens > 0 ? `at most ${countText(tokens)} tokens of context` : null,
      excess: { of: 'KV cache', ratio: trial.contextTokens / Math.max(1, tokens) },
    },
  ]
}

function fractionBlockers(
  wanted: number | null,
  rooms: readonly { readonly totalBytes: number; readonly usableBytes: number }[],
  memory: FitQuestion['engine']['memory'],
): readonly Blocker[] {
  if (wanted === null || memory.kind !== 'fraction' || memory.covers === 'kv-of-rest') return []
  const free = Math.min(...rooms.map((room) => room.usableBytes / Math.max(1, room.totalBytes)))
  if (wanted <= free) return []
  return [
    {
      check: 'memory',
      what: `a fraction of ${wanted} is wanted, and ${free.toFixed(2)} of the device is free`,
      unlockedBy: null,
    },
  ]
}
