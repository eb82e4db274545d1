import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { chatModels } from '#weights/catalog/chat-models.ts'
import { type GgufMix, ggufMixes } from '#weights/catalog/gguf-mix.ts'
import { catalogModel, catalogNames, catalogVariant } from '#weights/catalog/model-catalog.ts'
import { ggufShapeFacts, safetensorsShapeFacts } from '#weights/catalog/shape-facts.ts'

interface Published {
  readonly id: string
  readonly n_params: number
  readonly layers: number
  readonly context?: number
  readonly kv_bytes_per_token: Readonly<Record<string, number>>
  readonly gguf_tensor_bytes_exact?: Readonly<Record<string, number>>
  readonly gguf_tensor_bytes_observed: Readonly<Record<string, number>>
}

const published: readonly Published[] = JSON.parse(
  readFileSync('fixtures/models/published.json', 'utf8'),
).models

function shapeOf(id: string) {
  const model = chatModels.find(({ name, aliases = [] }) => [name, ...aliases].includes(id))
  if (model === undefined) throw new Error(`the catalogue has no ${id}`)
  return model
}

test.each(published)('$id has as many parameters as published, to the last one', (model) => {
  expect(ggufShapeFacts(shapeOf(model.id).shape, 'F16').parameterCount).toBe(model.n_params)
})

const sizes = published.flatMap(({ id, gguf_tensor_bytes_exact = {} }) =>
  Object.entries(gguf_tensor_bytes_exact).map(([mix, bytes]) => ({ id, mix, bytes })),
)

test.each(sizes)('$id in $mix is $bytes bytes of tensors, exactly', ({ id, mix, bytes }) => {
  expect(ggufMixes).toContain(mix)
  const { tensorBytes, tensorBytesByPart: parts } = ggufShapeFacts(
    shapeOf(id).shape,
    mix as GgufMix,
  )
  expect(tensorBytes).toBe(bytes)
  const sum = parts.byLayer.reduce((total, each) => total + each, 0)
  expect(sum + parts.tokenEmbedding + parts.output + parts.other).toBe(bytes)
})

test.each(
  published.flatMap(({ id, gguf_tensor_bytes_observed }) =>
    Object.entries(gguf_tensor_bytes_observed).map(([name, bytes]) => ({ id, name, bytes })),
  ),
)('$id in $name is as large as its file was seen to be', ({ id, name, bytes }) => {
  // A file of experts in MXFP4 is called F16, and makers put UD before or after the name.
  const quantization = name.includes('MXFP4') ? 'MXFP4' : name.replace(/^(\S+) \(UD\)$/, 'UD-$1')
  expect(catalogVariant(id, quantization)?.facts?.tensorBytes).toBe(bytes)
})

test('the sizes of Llama 3.1 8B in other mixes are those that llama.cpp prints', () => {
  const rows: readonly { q: string; gib: number }[] = JSON.parse(
    readFileSync('fixtures/models/published.json', 'utf8'),
  ).llama31_8b_quant_sizes
  const known = rows.flatMap(({ q, gib }) => {
    const bytes = catalogVariant('llama-3.1-8b', q)?.facts?.tensorBytes
    return bytes === undefined ? [] : [{ q, gib, bytes }]
  })
  expect(known.map(({ q }) => q)).toEqual(
    expect.arrayContaining(['IQ2_XXS', 'IQ3_XXS', 'Q3_K_M', 'Q4_K_M', 'Q5_K_M', 'Q6_K', 'Q8_0']),
  )
  for (const { q, gib, bytes } of known) expect(bytes / 2 ** 30, q).toBeCloseTo(gib, 2)
})

test('weights of vLLM: 16 bit, FP8 and AWQ keep embedding and output in 16 bit', () => {
  const { shape } = shapeOf('llama-3.1-8b')
  const gigabytes = (numbers: 'bf16' | 'fp8' | 'awq 4-bit') =>
    safetensorsShapeFacts(shape, numbers).tensorBytes / 1e9
  expect(gigabytes('bf16')).toBeCloseTo(16.06, 2)
  // 6.98 B of matrices in layers, 1.05 B of embedding and output.
  expect(gigabytes('fp8')).toBeCloseTo(6.98 + 2 * 1.05, 1)
  expect(gigabytes('awq 4-bit')).toBeCloseTo((6.98 * 4.156) / 8 + 2 * 1.05, 1)
})

test('a model is served by its own files, not by those of a sibling of the same shape', () => {
  for (const [name, own] of [
    ['llama-3.1-70b', /3\.1-70b/i],
    ['llama-3.3-70b', /3\.3-70b/i],
    ['deepseek-v3', /deepseek-v3/i],
    ['deepseek-r1', /deepseek-r1/i],
  ] as const) {
    for (const { source } of catalogModel(name)?.variants ?? []) expect(source).toMatch(own)
  }
})

test('every name leads to variants with facts, and no variant is worth less bits than the next', () => {
  for (const name of catalogNames()) {
    const bits = catalogModel(name)?.variants.map(({ facts }) => facts?.bitsPerWeight ?? 0) ?? []
    expect(bits.length, name).toBeGreaterThan(0)
    expect(Math.min(...bits), name).toBeGreaterThan(0)
  }
  expect(catalogModel('MISTRAL-7b')?.name).toBe('mistral-7b-v0.3')
  expect(catalogModel('llama-9')).toBeNull()
})
