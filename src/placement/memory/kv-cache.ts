/**
 * The memory that attention keeps of the tokens it has seen, layer by layer.
 *
 *   every layer     2 vectors (key, value) a token for each KV head
 *   latent (MLA)    1 compressed vector a token, whatever the heads
 *   sliding window  only the last tokens, however long the context is
 *   no attention    a state of fixed size for each request
 */
import { type KvCacheType, kvCacheBytes } from '#core/engine-memory.ts'
import type { ModelFacts } from '#core/model-facts.ts'

export interface KvShape {
  /** Bytes of one token in each layer. */
  readonly bytesPerTokenByLayer: readonly number[]
  /** Tokens a layer looks back; null for all. */
  readonly windowByLayer: readonly (number | null)[]
  /** Bytes of each request in each layer, however long it is. */
  readonly stateByLayer: readonly number[]
  /** How the bytes of one token come about, for people. */
  readonly why: string
}

/**
 * Numbers that a layer without attention keeps of a request, for each number of the hidden vector:
 * Mamba-2's inner width is twice the hidden one and its state 128 numbers deep. Other designs keep
 * less; all of it is tens of megabytes beside gigabytes.
 */
const stateNumbersPerHidden = 256
const stateNumberBytes = 4

/** Asked for again with every setting that is tried; it follows from the headers alone. */
const shapes = new WeakMap<ModelFacts, Map<KvCacheType, KvShape | null>>()

/** Null where the headers do not tell enough to say. */
export function kvShape(facts: ModelFacts, type: KvCacheType): KvShape | null {
  let ofModel = shapes.get(facts)
  if (ofModel === undefined) {
    ofModel = new Map()
    shapes.set(facts, ofModel)
  }
  const known = ofModel.get(type)
  if (known !== undefined) return known
  const shape = shapeOf(facts, type)
  ofModel.set(type, shape)
  return shape
}

function shapeOf(facts: ModelFacts, type: KvCacheType): KvShape | null {
  const { layerCount, latentAttention, embeddingLength } = facts
  const none = { windowByLayer: [], stateByLayer: [] }
  // Encoders see a text once and keep nothing of it; rankers may be encoders or not, and headers tell.
  const isEncoder = facts.pooling === 'mean' || facts.pooling === 'cls'
  if (isEncoder || (facts.pooling === 'rank' && facts.attention.length === 0)) {
    return { ...none, bytesPerTokenByLayer: [], why: 'an encoder keeps no tokens' }
  }
  const numberBytes = kvCacheBytes[type]
  if (latentAttention !== null) {
    const width = latentAttention.kvLoraRank + latentAttention.ropeDimension
    return {
      ...none,
      bytesPerTokenByLayer: Array.from({ length: layerCount }, () => width * numberBytes),
      why: `${layerCount} layers × ${width} of one latent vector × ${numberBytes} B`,
    }
  }
  const { attention, keyDimension, valueDimension } = facts
  if (attention.length === 0 || keyDimension === null || valueDimension === null) return null
  const width = keyDimension + valueDimension
  const state = (embeddingLength ?? 0) * stateNumbersPerHidden * stateNumberBytes
  const attending = attention.filter(({ kvHeadCount }) => kvHeadCount > 0)
  const heads = Math.max(0, ...attending.map(({ kvHeadCount }) => kvHeadCount))
  const sliding = attending.filter(({ windowTokens }) => windowTokens !== null)
  const [window] = sliding
  const windowText =
    window === undefined ? '' : `, ${sliding.length} of them within ${window.windowTokens} tokens`
  return {
    bytesPerTokenByLayer: attention.map(({ kvHeadCount }) => kvHeadCount * width * numberBytes),
    windowByLayer: attention.map(({ windowTokens }) => windowTokens),
    stateByLayer: attention.map(({ kvHeadCount }) => (kvHeadCount === 0 ? state : 0)),
    why:
      keyDimension === valueDimension
        ? `${attending.length} layers × ${heads} heads × ${keyDimension} × 2 × ${numberBytes} B${windowText}`
        : `${attending.length} layers × ${heads} heads × (${keyDimension} + ${valueDimension}) × ${numberBytes} B${windowText}`,
  }
}

export interface KvRoom {
  readonly contextTokens: number
  readonly slots: number
  /** Tokens are kept in multiples of this. */
  readonly paddingTokens: number
  /** What a layer with a window keeps beyond it: the tokens that are computed at a time. */
  readonly batchTokens: number
}

/** Bytes of one layer for all requests at their longest. */
export function kvLayerBytes(shape: KvShape, layer: number, room: KvRoom): number {
  return layerBytes(shape, layer, room) * room.slots
}

function layerBytes(shape: KvShape, layer: number, room: Omit<KvRoom, 'slots'>): number {
  const { contextTokens, paddingTokens, batchTokens } = room
  const window = shape.windowByLayer[layer] ?? null
  const seen = window === null ? contextTokens : Math.min(contextTokens, window + batchTokens)
  const tokens = Math.ceil(seen / paddingTokens) * paddingTokens
  return (shape.bytesPerTokenByLayer[layer] ?? 0) * tokens
}

export function kvStateBytes(shape: KvShape, layer: number, slots: number): number {
  return (shape.stateByLayer[layer] ?? 0) * slots
}

/** Of all layers for one request of a length. */
export function kvRequestBytes(shape: KvShape, room: Omit<KvRoom, 'slots'>): number {
  let total = 0
  for (let layer = 0; layer < shape.bytesPerTokenByLayer.length; layer += 1) {
    total += layerBytes(shape, layer, room)
  }
  return total
}
