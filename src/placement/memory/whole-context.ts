/** Memory of engines that take all of their context at start: weights, KV cache, buffers, process. */
import type { EngineMemory } from '#core/engine-memory.ts'
import { memoryText } from '#core/memory-text.ts'
import type { DeviceMemoryNeed, MemoryNeed, MemoryTerm } from '#placement/fit.ts'
import { deviceStepBytes, hostStepBytes } from '#placement/memory/compute-buffers.ts'
import { countText } from '#placement/memory/count-text.ts'
import { type KvShape, kvLayerBytes, kvShape, kvStateBytes } from '#placement/memory/kv-cache.ts'
import type { MemoryQuestion } from '#placement/memory/memory-question.ts'
import { type LayerRange, splitLayers } from '#placement/memory/split-layers.ts'
import { sum, sumOfRange } from '#placement/memory/sums.ts'

type WholeContext = Extract<EngineMemory, { kind: 'whole-context' }>

export function wholeContextNeed(question: MemoryQuestion, engine: WholeContext): MemoryNeed {
  const { facts, devices, slots, contextTokens, backend } = question
  const parts = facts.tensorBytesByPart
  const layerCount = parts.byLayer.length
  const onCpu = backend === 'cpu'
  const layersOnHost = Math.min(layerCount, question.offload?.layersOnHost ?? 0)
  const expertLayersOnHost = Math.min(layerCount, question.offload?.expertLayersOnHost ?? 0)
  const paddedTokens = Math.ceil(contextTokens / engine.paddingTokens) * engine.paddingTokens
  const flashAttention = question.flashAttention ?? engine.flashAttention.includes(backend)
  const shape = kvShape(facts, question.kvCacheType)
  const room = {
    contextTokens: paddedTokens,
    slots,
    paddingTokens: engine.paddingTokens,
    batchTokens: engine.batchTokens,
  }
  const step = {
    facts,
    batchTokens: engine.batchTokens,
    contextTokens: paddedTokens,
    flashAttention,
    deviceCount: devices.length,
  }
  const kvOf = ({ begin, end }: Pick<LayerRange, 'begin' | 'end'>, of: KvShape) =>
    kvTerms(of, begin, end, room)

  /** Experts of the first layers may stay behind while the rest of their layers goes. */
  const expertsLeft = ({ begin, end }: Pick<LayerRange, 'begin' | 'end'>) =>
    sumOfRange(parts.expertsByLayer, begin, Math.min(end, expertLayersOnHost))
  // A model whose embedding serves as output too is read from both: one copy where tokens come in,
  // one where they go out.
  const outputBytes = parts.output > 0 ? parts.output : parts.tokenEmbedding
  const embeddingOnHost = engine.keepsTokenEmbeddingOnHost && !onCpu

  const hostTerms: MemoryTerm[] = []
  if (embeddingOnHost) {
    const bytes = parts.tokenEmbedding
    hostTerms.push({ name: 'weights', bytes, why: 'token embedding, which stays on the host' })
  }
  if (layersOnHost > 0) {
    const bytes = sumOfRange(parts.byLayer, 0, layersOnHost)
    hostTerms.push({ name: 'weights', bytes, why: `the first ${layersOnHost} layers` })
    if (shape !== null) hostTerms.push(...kvOf({ begin: 0, end: layersOnHost }, shape))
  }
  const experts = sumOfRange(parts.expertsByLayer, layersOnHost, expertLayersOnHost)
  if (experts > 0) {
    const count = expertLayersOnHost - layersOnHost
    hostTerms.push({ name: 'weights', bytes: experts, why: `experts of ${count} layers` })
  }
  if (!onCpu) {
    const why = 'inputs of a step: token vectors and attention mask'
    hostTerms.push({ name: 'compute', bytes: hostStepBytes(step), why })
  }

  const ranges = splitLayers(
    layerCount,
    devices.map(({ usableBytes }) => usableBytes),
    layersOnHost,
  )
  const needs: DeviceMemoryNeed[] = devices.map((device, index) => {
    const range = ranges[index] ?? { begin: 0, end: layerCount, hasOutput: true }
    const layerBytes = sumOfRange(parts.byLayer, range.begin, range.end) - expertsLeft(range)
    const ends = range.hasOutput ? (onCpu ? parts.output : outputBytes) + parts.other : 0
    const start = range.begin === 0 && !embeddingOnHost ? parts.tokenEmbedding : 0
    // One copy serves both ends where both are on the same device.
    const twice = start > 0 && range.hasOutput && parts.output === 0 && !onCpu ? start : 0
    const terms: MemoryTerm[] = [
      {
        name: 'weights',
        bytes: layerBytes + ends + start - twice,
        why: weightsWhy(range, layerCount, facts.quantization, expertsLeft(range)),
      },
      ...(shape === null ? [] : kvOf(range, shape)),
      {
        name: 'compute',
        bytes:
          deviceStepBytes({ ...step, hasOutput: range.hasOutput }) +
          (onCpu ? hostStepBytes(step) : 0),
        why: `a step of ${engine.batchTokens} tokens ${flashAttention ? 'with' : 'without'} flash attention`,
      },
      processTerm(engine.processBytes[backend] ?? 0, backend),
      ...(device.sharesHostMemory && index === 0 && !onCpu ? hostTerms : []),
    ]
    return deviceNeed(device, terms)
  })

  const apart = devices.every(({ sharesHostMemory }) => !sharesHostMemory)
  return {
    devices: needs,
    hostBytes: apart && !onCpu ? sum(hostTerms.map(({ bytes }) => bytes)) : 0,
    hostTerms: apart && !onCpu ? hostTerms : [],
    layersOnDevices:
      engine.offloads === 'nothing' || onCpu
        ? null
        : { count: layerCount - layersOnHost, of: layerCount },
    kvCacheTokens:
      shape === null || shape.bytesPerTokenByLayer.length === 0 ? null : paddedTokens * slots,
    confidence: 'estimated',
  }
}

function kvTerms(
  shape: KvShape,
  begin: number,
  end: number,
  room: Parameters<typeof kvLayerBytes>[2],
): MemoryTerm[] {
  let bytes = 0
  let state = 0
  for (let layer = begin; layer < Math.min(end, shape.bytesPerTokenByLayer.length); layer += 1) {
    bytes += kvLayerBytes(shape, layer, room)
    state += kvStateBytes(shape, layer, room.slots)
  }
  const tokens = `${countText(room.contextTokens)} tokens`
  const all = room.slots === 1 ? tokens : `${tokens} × ${room.slots} slots`
  const count = end - begin
  const of = count === shape.bytesPerTokenByLayer.length ? '' : ` (${count} of them here)`
  return [
    { name: 'kv-cache', bytes, why: `${shape.why}${of} × ${all}` },
    ...(state > 0
      ? [{ name: 'state' as const, bytes: state, why: 'layers without attention, for each slot' }]
      : []),
  ]
}

function weightsWhy(
  range: LayerRange,
  layerCount: number,
  quantization: string | null,
  expertsLeftBytes: number,
): string {
  const count = range.end - range.begin
  const layers = count === layerCount ? `${layerCount} layers` : `${count} of ${layerCount} layers`
  const output = range.hasOutput ? ' and output' : ''
  const without = expertsLeftBytes > 0 ? `, without ${memoryText(expertsLeftBytes)} of experts` : ''
  return `${layers}${output}${quantization === null ? '' : ` in ${quantization}`}${without}`
}

export function processTerm(bytes: number, backend: string): MemoryTerm {
  return { name: 'overhead', bytes, why: `the process and its ${backend} libraries` }
}

export function deviceNeed(
  device: { readonly id: string; readonly usableBytes: number },
  terms: readonly MemoryTerm[],
): DeviceMemoryNeed {
  return {
    device: device.id,
    terms: terms.filter(({ bytes }) => bytes !== 0),
    needBytes: sum(terms.map(({ bytes }) => bytes)),
    usableBytes: device.usableBytes,
  }
}
