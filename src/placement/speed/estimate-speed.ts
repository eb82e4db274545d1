/**
 * How fast one replica will answer one request. What was measured on the node is best, then what
 * others measured on the same kind of device, scaled to the size of the model, then what bandwidth
 * and computing rate allow.
 */
import type { Backend } from '#core/engine-build.ts'
import type { EngineId } from '#core/engine-id.ts'
import type { EngineMemory, Offload } from '#core/engine-memory.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import type { SpeedReferences } from '#core/speed-references.ts'
import type { SpeedEstimate } from '#placement/fit.ts'
import type { MeasuredSpeed, PlacementDevice, PlacementNode } from '#placement/inventory.ts'
import { activeLayerBytes, activeWeights } from '#placement/speed/active-weights.ts'
import { startMs } from '#placement/speed/start-time.ts'

export interface SpeedQuestion {
  readonly facts: ModelFacts
  readonly model: string
  readonly source: string
  readonly engine: EngineId
  readonly memory: EngineMemory
  readonly backend: Backend
  readonly node: PlacementNode
  readonly devices: readonly PlacementDevice[]
  readonly tensorParallel: number
  readonly offload: Offload | null
  readonly measured: readonly MeasuredSpeed[]
}

/**
 * What engines reach of the bandwidth while they decode, and of the computing rate while they read a
 * prompt: the middle of what is published for GPUs of all vendors (0.36 to 0.65, and 0.31 to 0.73).
 */
const bandwidthReached = 0.6
const computingReached = 0.35

/** Starting kernels and handing on between devices: smaller models do not get faster than this. */
const tokenSecondsMin = 1 / 500

/** Of two devices that share each layer, what is left beside waiting for each other. */
const parallelReached = 0.8

/** A CPU whose memory nobody measured: two channels of DDR4. */
const hostBandwidthUsual = 40e9

export function estimateSpeed(question: SpeedQuestion, references: SpeedReferences): SpeedEstimate {
  const { facts, measured, node, engine, model, source } = question
  const start = startMs({
    bytes: facts.tensorBytes,
    isThere: node.weights.includes(source),
    diskBytesPerSecond: node.diskBytesPerSecond,
    networkBytesPerSecond: node.networkBytesPerSecond,
    isCompiled: question.memory.kind === 'fraction',
  })
  const own = measured.find(
    (speed) =>
      speed.node === node.id &&
      speed.engine === engine &&
      speed.model === model &&
      speed.quantization === facts.quantization,
  )
  if (own !== undefined && question.offload === null) {
    const { promptTokensPerSecond, decodeTokensPerSecond } = own
    return { promptTokensPerSecond, decodeTokensPerSecond, startMs: start, basis: 'measured' }
  }
  // Weights alone say little about speech, embeddings and ranking.
  const writes = facts.attention.length > 0 || facts.latentAttention !== null
  if (question.memory.kind === 'weights-only' || facts.pooling !== null || !writes) {
    return {
      promptTokensPerSecond: null,
      decodeTokensPerSecond: null,
      startMs: start,
      basis: 'unknown',
    }
  }
  const active = activeWeights(facts)
  const each = question.devices.map((device) => deviceSeconds(question, device, active, references))
  const decode = each.map(({ decodeSeconds }) => decodeSeconds)
  const prompt = each.map(({ promptSeconds }) => promptSeconds)
  const onHost = hostSeconds(question)
  const part = 1 - onHost.part
  const decodeSeconds = together(decode, question.tensorParallel)
  const promptSeconds = together(prompt, question.tensorParallel)
  const basis = each.every(({ isSimilar }) => isSimilar) ? 'similar' : 'bandwidth'
  return {
    promptTokensPerSecond:
      promptSeconds === null ? null : 1 / (promptSeconds * part + onHost.promptSeconds),
    decodeTokensPerSecond:
      decodeSeconds === null
        ? null
        : 1 / Math.max(tokenSecondsMin, decodeSeconds * part + onHost.decodeSeconds),
    startMs: start,
    basis: decodeSeconds === null && promptSeconds === null ? 'unknown' : basis,
  }
}

/** Seconds of one token if this device did all of it; null where nothing is known. */
function deviceSeconds(
  { memory, backend }: SpeedQuestion,
  { device }: PlacementDevice,
  active: { readonly bytes: number; readonly parameters: number },
  { kindOf, speeds }: SpeedReferences,
) {
  const kind = kindOf(device)
  const family = memory.kind === 'fraction' ? 'torch' : 'ggml'
  const nearest = (has: 'promptTokensPerSecond' | 'decodeTokensPerSecond') =>
    speeds
      .filter(
        (row) =>
          row.kind === kind?.id &&
          row.backend === backend &&
          row.family === family &&
          row[has] !== null,
      )
      .toSorted(
        (a, b) => distance(a.activeBytes, active.bytes) - distance(b.activeBytes, active.bytes),
      )
      .at(0)
  const decodeRow = nearest('decodeTokensPerSecond')
  const promptRow = nearest('promptTokensPerSecond')
  const bandwidth = device.memoryBandwidthBytesPerSecond ?? kind?.bandwidthBytesPerSecond ?? null
  const rate = kind?.operationsPerSecond ?? null
  return {
    isSimilar: decodeRow !== undefined,
    decodeSeconds:
      decodeRow?.decodeTokensPerSecond != null
        ? active.bytes / (decodeRow.activeBytes * decodeRow.decodeTokensPerSecond)
        : bandwidth === null
          ? null
          : active.bytes / (bandwidth * bandwidthReached),
    promptSeconds:
      promptRow?.promptTokensPerSecond != null
        ? active.parameters / (promptRow.activeParameters * promptRow.promptTokensPerSecond)
        : rate === null
          ? null
          : (2 * active.parameters) / (rate * computingReached),
  }
}

function distance(one: number, other: number): number {
  return Math.abs(Math.log(one / other))
}

/** Layers in turn: each device does its part of the time. Layers shared: all at once. */
function together(seconds: readonly (number | null)[], tensorParallel: number): number | null {
  if (seconds.length === 0 || seconds.some((each) => each === null)) return null
  const known = seconds.filter((each) => each !== null)
  if (tensorParallel > 1) return Math.max(...known) / (known.length * parallelReached)
  return known.reduce((total, each) => total + each, 0) / known.length
}

/** What the CPU does of each token, and which part of all bytes that is. */
function hostSeconds({ facts, offload, node }: SpeedQuestion) {
  if (offload === null) return { part: 0, decodeSeconds: 0, promptSeconds: 0 }
  const { layersOnHost, expertLayersOnHost } = offload
  const layers = activeLayerBytes(facts, 0, layersOnHost).all
  const experts = activeLayerBytes(facts, layersOnHost, expertLayersOnHost).experts
  const bytes = layers + experts
  const cpu = node.devices.find(({ device }) => device.vendor === 'cpu')
  const bandwidth = cpu?.device.memoryBandwidthBytesPerSecond ?? hostBandwidthUsual
  const decodeSeconds = bytes / (bandwidth * bandwidthReached)
  const part = bytes / activeWeights(facts).bytes
  // Of a prompt, a step of weights is read once for many tokens, yet a CPU is slow to compute them.
  return { part, decodeSeconds, promptSeconds: decodeSeconds / promptGain }
}

/** How much faster CPUs read than they write: 7 to 14 in what is published. */
const promptGain = 8
