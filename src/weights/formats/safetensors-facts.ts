/** From safetensors headers and `config.json` to the facts of a model. */
import { z } from 'zod'
import type { LayerAttention, ModelFacts } from '#core/model-facts.ts'
import type { SafetensorsHeader, SafetensorsTensor } from '#weights/formats/safetensors.ts'
import { TensorTally } from '#weights/formats/tensor-tally.ts'
import { isMlxConfig } from '#weights/formats/weights-format.ts'

/** What lies beside the weights. All of it may be missing: then the tensors alone must tell. */
export interface SafetensorsCompanions {
  /** `config.json`, parsed. */
  readonly config: unknown
  /** `quantize_config.json`, `quant_config.json` or `hf_quant_config.json`, of older quantizers. */
  readonly quantizationConfig?: unknown
  readonly chatTemplate: string | null
  /** `1_Pooling/config.json`, of sentence-transformers. */
  readonly poolingConfig?: unknown
}

const count = z.number().nonnegative().optional().catch(undefined)

const quantization = z
  .looseObject({
    quant_method: z.string().optional().catch(undefined),
    quant_algo: z.string().optional().catch(undefined),
    bits: count,
    w_bit: count,
    group_size: z.number().optional().catch(undefined),
    load_in_4bit: z.boolean().optional().catch(undefined),
  })
  .optional()
  .catch(undefined)
type Quantization = NonNullable<z.output<typeof quantization>>

const shape = z.looseObject({
  model_type: z.string().optional().catch(undefined),
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count,
  head_dim: count,
  v_head_dim: count,
  qk_nope_head_dim: count,
  qk_rope_head_dim: count,
  kv_lora_rank: count,
  intermediate_size: count,
  vocab_size: count,
  max_position_embeddings: count,
  sliding_window: count,
  use_sliding_window: z.boolean().optional().catch(undefined),
  sliding_window_pattern: count,
  layer_types: z.array(z.string()).max(4096).optional().catch(undefined),
  full_attention_interval: count,
  num_local_experts: count,
  num_experts: count,
  n_routed_experts: count,
  num_experts_per_tok: count,
  /** Older names, of GPT-2 and its kin. */
  n_embd: count,
  n_layer: count,
  n_head: count,
  n_positions: count,
})
type Shape = z.output<typeof shape>

const document = z.looseObject({
  architectures: z.array(z.string()).optional().catch(undefined),
  _name_or_path: z.string().optional().catch(undefined),
  quantization_config: quantization,
  quantization,
  text_config: z.unknown().optional(),
})

const layersMax = 4096

export function safetensorsFacts(
  headers: readonly SafetensorsHeader[],
  companions: SafetensorsCompanions,
): ModelFacts {
  const top = document.catch({}).parse(companions.config)
  // Models that see or hear keep the language model's shape one level deeper.
  const config = shape.catch({}).parse(top.text_config ?? companions.config)
  const quantized =
    top.quantization_config ?? top.quantization ?? readOlder(companions.quantizationConfig)

  const tally = new TensorTally()
  for (const tensor of headers.flatMap(({ tensors }) => tensors)) {
    const { name, type, bytes } = tensor
    tally.add({ name, type, bytes, weightCount: weightCountOf(tensor, quantized) })
  }
  const layers = Math.min(
    config.num_hidden_layers ?? config.n_layer ?? tally.bytesByPart.byLayer.length,
    layersMax,
  )
  const embeddingLength = config.hidden_size ?? config.n_embd ?? null
  const headCount = config.num_attention_heads ?? config.n_head ?? null
  const kvHeadCount = config.num_key_value_heads ?? headCount
  const headDimension =
    config.head_dim ?? (embeddingLength !== null && headCount ? embeddingLength / headCount : null)
  const expertCount = config.num_local_experts ?? config.num_experts ?? config.n_routed_experts ?? 0

  return {
    format: isMlxConfig(companions.config) ? 'mlx' : 'safetensors',
    architecture: top.architectures?.[0] ?? config.model_type ?? 'unknown',
    name: top._name_or_path || null,
    parameterCount: tally.weightCount,
    quantization: quantizationName(quantized) ?? tally.mainType,
    bitsPerWeight: tally.bitsPerWeight,
    tensorBytes: tally.bytes,
    tensorBytesByPart: tally.bytesByPart,
    tensorCount: tally.tensorCount,
    contextTokens: config.max_position_embeddings ?? config.n_positions ?? null,
    layerCount: layers,
    embeddingLength,
    feedForwardLength: config.intermediate_size ?? null,
    headCount,
    kvHeadCount,
    keyDimension: keyDimensionOf(config) ?? headDimension,
    valueDimension: config.v_head_dim ?? headDimension,
    attention: kvHeadCount === null ? [] : attentionOf(config, kvHeadCount, layers),
    latentAttention: config.kv_lora_rank
      ? { kvLoraRank: config.kv_lora_rank, ropeDimension: config.qk_rope_head_dim ?? 0 }
      : null,
    experts:
      expertCount === 0
        ? null
        : { count: expertCount, usedPerToken: config.num_experts_per_tok ?? expertCount },
    vocabularySize: config.vocab_size ?? null,
    chatTemplate: companions.chatTemplate,
    pooling: poolingOf(companions.poolingConfig),
  }
}

function keyDimensionOf({ qk_nope_head_dim, qk_rope_head_dim }: Shape): number | null {
  return qk_nope_head_dim === undefined ? null : qk_nope_head_dim + (qk_rope_head_dim ?? 0)
}

function attentionOf(
  config: Shape,
  kvHeadCount: number,
  layers: number,
): readonly LayerAttention[] {
  const window = config.use_sliding_window === false ? 0 : (config.sliding_window ?? 0)
  const interval = config.full_attention_interval ?? 0
  const pattern = config.sliding_window_pattern ?? 0
  return Array.from({ length: layers }, (_, layer) => {
    const kind = config.layer_types?.[layer]
    const recurrent =
      kind === undefined
        ? interval > 0 && (layer + 1) % interval !== 0
        : !/attention/.test(kind) || kind === 'linear_attention'
    // Without a word about layers, a window holds for all of them.
    const sliding =
      kind === undefined
        ? pattern === 0 || (layer + 1) % pattern !== 0
        : /sliding|chunked/.test(kind)
    return {
      kvHeadCount: recurrent ? 0 : kvHeadCount,
      windowTokens: window > 0 && sliding ? window : null,
    }
  })
}

function readOlder(config: unknown): Quantization | undefined {
  const nested = z.looseObject({ quantization }).safeParse(config)
  if (nested.success && nested.data.quantization !== undefined) return nested.data.quantization
  const parsed = quantization.parse(config)
  return parsed === undefined || bitsOf(parsed) === undefined ? undefined : parsed
}

function bitsOf({ bits, w_bit, load_in_4bit, quant_method, quant_algo }: Quantization) {
  const named = /fp4|nvfp4|mxfp4/i.test(`${quant_method} ${quant_algo}`) ? 4 : undefined
  return bits ?? w_bit ?? named ?? (load_in_4bit ? 4 : undefined)
}

/** `awq 4-bit`, `fp8`, `mlx 4-bit`. */
function quantizationName(quantized: Quantization | undefined): string | null {
  if (quantized === undefined) return null
  const method = (quantized.quant_method ?? quantized.quant_algo ?? 'mlx').toLowerCase()
  const bits = bitsOf(quantized)
  return bits === undefined || /\d/.test(method) ? method : `${method} ${bits}-bit`
}

/**
 * Quantizers pack several weights into one number and add scales and zero points beside it. This
 * counts the weights and not the companions.
 */
function weightCountOf(
  { name, type, shape: dimensions }: SafetensorsTensor,
  quantized: Quantization | undefined,
): number {
  const elements = dimensions.reduce((product, length) => product * length, 1)
  if (quantized === undefined) return elements
  if (/(scales?|_scale_inv|qzeros|g_idx|\.biases|absmax|quant_map|zero_point|_scale_2)$/.test(name))
    return 0
  if (/quant_state|nested_/.test(name)) return 0
  const bits = bitsOf(quantized) ?? 8
  const packedBits: Readonly<Record<string, number>> = { I32: 32, U32: 32, U8: 8, I8: 8 }
  const stored = packedBits[type]
  return stored === undefined ? elements : elements * Math.max(1, Math.floor(stored / bits))
}

function poolingOf(config: unknown): ModelFacts['pooling'] {
  const parsed = z.looseObject({}).safeParse(config)
  if (!parsed.success) return null
  const { data } = parsed
  if (data['pooling_mode_cls_token'] === true) return 'cls'
  if (data['pooling_mode_mean_tokens'] === true) return 'mean'
  return data['pooling_mode_lasttoken'] === true ? 'last' : null
}
