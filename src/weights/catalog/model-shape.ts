/**
 * The shape of a model, from which all of its tensors follow. Shapes are those of the models'
 * published configurations; parameter counts that come out are compared with published ones by the
 * tests.
 */

export interface ModelShape {
  /** As GGUF calls it. */
  readonly architecture: string
  readonly layers: number
  readonly hidden: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDimension: number
  /** Width of the dense feed-forward part; 0 where every layer has experts. */
  readonly feedForward: number
  readonly vocabulary: number
  readonly contextTokens: number
  /** Whether the token embedding serves as output as well. */
  readonly tied: boolean
  /** Numbers beside the matrices. */
  readonly attentionBiases?: 'query-key-value' | 'all'
  /** Norms of each head's query and key. */
  readonly headNorms?: boolean
  /** Norms after attention and after the feed-forward part, beside those before. */
  readonly postNorms?: boolean
  /** Whether the file has factors for positions, one for each pair of a head. */
  readonly ropeFactors?: boolean
  readonly experts?: {
    readonly count: number
    readonly usedPerToken: number
    readonly feedForward: number
    /** Width of the expert that every token passes; 0 for none. */
    readonly sharedFeedForward?: number
    /** Layers at the beginning that have none and are `feedForward` wide. */
    readonly denseLayers?: number
    readonly biases?: boolean
    /** A number for each expert that corrects the choice. */
    readonly choiceBias?: boolean
  }
  readonly latent?: {
    readonly queryRank: number
    readonly kvRank: number
    readonly keyDimension: number
    readonly ropeDimension: number
    readonly valueDimension: number
  }
  /** `globalEvery`: every so-manieth layer sees all; the others look back `tokens`. */
  readonly window?: { readonly tokens: number; readonly globalEvery: number }
  /** One number a head that takes the attention nobody wants. */
  readonly sinks?: boolean
  /** Layers at the end that predict further tokens: they have matrices to join two vectors. */
  readonly predictionLayers?: number
}

/** One tensor, or several alike: the length of a row, and how many rows. */
export interface ShapeTensor {
  readonly name: string
  readonly row: number
  readonly rows: number
  /** Of the tensor itself, as stored: vectors stay in 32 bit whatever the quantization. */
  readonly isVector: boolean
}

export function tensorsOf(shape: ModelShape): readonly ShapeTensor[] {
  const { hidden, vocabulary, layers } = shape
  const tensors: ShapeTensor[] = [matrix('token_embd.weight', hidden, vocabulary)]
  for (let layer = 0; layer < layers; layer += 1) {
    tensors.push(...layerTensors(shape, layer))
  }
  tensors.push(vector('output_norm.weight', hidden))
  if (!shape.tied) tensors.push(matrix('output.weight', hidden, vocabulary))
  if (shape.ropeFactors) tensors.push(vector('rope_freqs.weight', shape.headDimension / 2))
  return tensors
}

function layerTensors(shape: ModelShape, layer: number): readonly ShapeTensor[] {
  const { hidden, heads, headDimension } = shape
  const name = (part: string) => `blk.${layer}.${part}`
  const tensors: ShapeTensor[] = [vector(name('attn_norm.weight'), hidden)]
  tensors.push(...attentionTensors(shape, name))
  if (shape.headNorms) {
    tensors.push(vector(name('attn_q_norm.weight'), headDimension))
    tensors.push(vector(name('attn_k_norm.weight'), headDimension))
  }
  if (shape.sinks) tensors.push(vector(name('attn_sinks.weight'), heads))
  if (shape.postNorms) {
    tensors.push(vector(name('post_attention_norm.weight'), hidden))
    tensors.push(vector(name('post_ffw_norm.weight'), hidden))
  }
  tensors.push(vector(name('ffn_norm.weight'), hidden))
  tensors.push(...feedForwardTensors(shape, layer, name))
  if (layer >= shape.layers - (shape.predictionLayers ?? 0)) {
    tensors.push(matrix(name('nextn.eh_proj.weight'), 2 * hidden, hidden))
    tensors.push(vector(name('nextn.norms.weight'), 3 * hidden))
    tensors.push(matrix(name('nextn.embed_tokens.weight'), hidden, shape.vocabulary))
    tensors.push(matrix(name('nextn.shared_head.weight'), hidden, shape.vocabulary))
  }
  return tensors
}

function attentionTensors(
  shape: ModelShape,
  name: (part: string) => string,
): readonly ShapeTensor[] {
  const { hidden, heads, kvHeads, headDimension, latent, attentionBiases } = shape
  if (latent !== undefined) {
    const { queryRank, kvRank, keyDimension, ropeDimension, valueDimension } = latent
    return [
      matrix(name('attn_q_a.weight'), hidden, queryRank),
      vector(name('attn_q_a_norm.weight'), queryRank),
      matrix(name('attn_q_b.weight'), queryRank, heads * (keyDimension + ropeDimension)),
      matrix(name('attn_kv_a_mqa.weight'), hidden, kvRank + ropeDimension),
      vector(name('attn_kv_a_norm.weight'), kvRank),
      matrix(name('attn_k_b.weight'), keyDimension, heads * kvRank),
      matrix(name('attn_v_b.weight'), kvRank, heads * valueDimension),
      matrix(name('attn_output.weight'), heads * valueDimension, hidden),
    ]
  }
  const query = heads * headDimension
  const keys = kvHeads * headDimension
  const tensors = [
    matrix(name('attn_q.weight'), hidden, query),
    matrix(name('attn_k.weight'), hidden, keys),
    matrix(name('attn_v.weight'), hidden, keys),
    matrix(name('attn_output.weight'), query, hidden),
  ]
  if (attentionBiases !== undefined) {
    tensors.push(vector(name('attn_q.bias'), query))
    tensors.push(vector(name('attn_k.bias'), keys))
    tensors.push(vector(name('attn_v.bias'), keys))
  }
  if (attentionBiases === 'all') tensors.push(vector(name('attn_output.bias'), hidden))
  return tensors
}

function feedForwardTensors(
  shape: ModelShape,
  layer: number,
  name: (part: string) => string,
): readonly ShapeTensor[] {
  const { hidden, feedForward, experts } = shape
  if (experts === undefined || layer < (experts.denseLayers ?? 0)) {
    return gated(name, '', hidden, feedForward, 1)
  }
  const { count, sharedFeedForward = 0 } = experts
  const tensors = [
    { ...matrix(name('ffn_gate_inp.weight'), hidden, count), isVector: true },
    ...gated(name, '_exps', hidden, experts.feedForward, count),
  ]
  if (experts.biases) {
    tensors.push(vector(name('ffn_gate_inp.bias'), count))
    tensors.push(vector(name('ffn_gate_exps.bias'), experts.feedForward * count))
    tensors.push(vector(name('ffn_up_exps.bias'), experts.feedForward * count))
    tensors.push(vector(name('ffn_down_exps.bias'), hidden * count))
  }
  if (experts.choiceBias) tensors.push(vector(name('exp_probs_b.bias'), count))
  if (sharedFeedForward > 0) tensors.push(...gated(name, '_shexp', hidden, sharedFeedForward, 1))
  return tensors
}

function gated(
  name: (part: string) => string,
  suffix: string,
  hidden: number,
  width: number,
  count: number,
): ShapeTensor[] {
  return [
    matrix(name(`ffn_gate${suffix}.weight`), hidden, width * count),
    matrix(name(`ffn_up${suffix}.weight`), hidden, width * count),
    matrix(name(`ffn_down${suffix}.weight`), width, hidden * count),
  ]
}

const matrix = (name: string, row: number, rows: number): ShapeTensor => ({
  name,
  row,
  rows,
  isVector: false,
})

const vector = (name: string, row: number): ShapeTensor => ({ name, row, rows: 1, isVector: true })
