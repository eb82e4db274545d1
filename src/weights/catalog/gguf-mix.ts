/**
 * Which type each tensor of a GGUF file gets: a name such as Q4_K_M is a mix. The rules are those of
 * llama.cpp's quantizer without an importance matrix, and lead to the sizes that it prints, to the
 * byte. Mixes of other makers (Unsloth's UD files) follow rules of their own; read their headers.
 */
import type { ModelShape, ShapeTensor } from '#weights/catalog/model-shape.ts'
import { type GgmlType, ggmlTypes } from '#weights/formats/ggml-types.ts'

export const ggufMixes = ['Q4_0', 'Q4_K_M', 'Q5_K_M', 'Q6_K', 'Q8_0', 'F16', 'MXFP4'] as const
export type GgufMix = (typeof ggufMixes)[number]

const typeByName = new Map([...ggmlTypes.values()].map((type) => [type.name, type]))

/** What a type is replaced by for rows that are no multiple of its block. */
const fallbacks: Readonly<Record<string, string>> = { Q4_K: 'Q5_0', Q5_K: 'Q5_1', Q6_K: 'Q8_0' }

export function mixedType(tensor: ShapeTensor, mix: GgufMix, shape: ModelShape): GgmlType {
  const wanted = tensor.isVector ? 'F32' : wantedType(tensor, mix, shape)
  const type = typeNamed(wanted)
  if (tensor.row % type.blockWeights === 0) return type
  return typeNamed(fallbacks[wanted] ?? 'F16')
}

function wantedType({ name }: ShapeTensor, mix: GgufMix, shape: ModelShape): string {
  const isOutput = name === 'output.weight' || (shape.tied && name === 'token_embd.weight')
  switch (mix) {
    case 'F16':
    case 'Q8_0':
    case 'Q6_K':
      return mix
    case 'Q4_0':
      return isOutput ? 'Q6_K' : mix
    // Experts as they were trained; all the rest as it was.
    case 'MXFP4':
      return name.includes('_exps.') ? mix : 'F16'
    case 'Q4_K_M':
      return isOutput ? 'Q6_K' : kQuantType(name, 'Q4_K', shape)
    case 'Q5_K_M':
      return isOutput ? 'Q6_K' : kQuantType(name, 'Q5_K', shape)
  }
}

/** Values of attention and the way out of the feed-forward part get more bits in some layers. */
function kQuantType(name: string, base: 'Q4_K' | 'Q5_K', shape: ModelShape): string {
  const [, layerText, part = ''] = /^blk\.(\d+)\.(.*)$/.exec(name) ?? []
  if (layerText === undefined) return base
  const more = getsMore(Number(layerText), shape.layers)
  const hasEightExperts = shape.experts?.count === 8
  if (part === 'attn_v.weight') {
    if (hasEightExperts) return 'Q8_0'
    if (more) return 'Q6_K'
    // Models of 80 layers with few KV heads: this tensor is small there and matters.
    return shape.layers === 80 && base === 'Q4_K' ? 'Q5_K' : base
  }
  if (part === 'attn_k.weight' && hasEightExperts) return 'Q8_0'
  if (part === 'attn_output.weight' && hasEightExperts) return 'Q5_K'
  if (/^ffn_down(_exps|_shexp)?\.weight$/.test(part) && more) return 'Q6_K'
  return base
}

/** The first and the last eighth of the layers, and every third between. */
function getsMore(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8)
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2
}

function typeNamed(name: string): GgmlType {
  const type = typeByName.get(name)
  if (type === undefined) throw new Error(`there is no type ${name} in ggml`)
  return type
}
