import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ByteSource, bytesSource } from '#weights/byte-source.ts'
import { readSafetensorsHeader, type SafetensorsHeader } from '#weights/formats/safetensors.ts'
import { safetensorsFacts } from '#weights/formats/safetensors-facts.ts'
import { WeightsError } from '#weights/weights-error.ts'

type Entry = readonly [type: string, bits: number, shape: readonly number[]]

/** A file of these tensors, whose data is only promised. */
function file(tensors: Readonly<Record<string, Entry>>): { bytes: Buffer; source: ByteSource } {
  let at = 0
  const entries = Object.entries(tensors).map(([name, [dtype, bits, shape]]) => {
    const begin = at
    at += (shape.reduce((all, each) => all * each, 1) * bits) / 8
    return [name, { dtype, shape, data_offsets: [begin, at] }]
  })
  const bytes = rawFile(
    JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) }),
  )
  return { bytes, source: { ...bytesSource(bytes, 'x'), sizeBytes: bytes.length + at } }
}

function rawFile(header: string): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)))
  return Buffer.concat([length, Buffer.from(header)])
}

const config = (name: string): unknown =>
  JSON.parse(readFileSync(`fixtures/weights/safetensors/${name}.config.json`, 'utf8'))

test('tensors are summed by layer, embedding and output', async () => {
  const { source } = file({
    'model.embed_tokens.weight': ['BF16', 16, [1000, 64]],
    'model.layers.0.mlp.up_proj.weight': ['BF16', 16, [128, 64]],
    'model.layers.1.mlp.up_proj.weight': ['BF16', 16, [128, 64]],
    'model.norm.weight': ['F32', 32, [64]],
    'lm_head.weight': ['BF16', 16, [1000, 64]],
  })
  const facts = safetensorsFacts([await readSafetensorsHeader(source)], {
    config: { architectures: ['LlamaForCausalLM'], hidden_size: 64, num_attention_heads: 4 },
    chatTemplate: null,
  })
  expect(facts).toMatchObject({
    architecture: 'LlamaForCausalLM',
    quantization: 'BF16',
    parameterCount: 144_448,
    layerCount: 2,
    keyDimension: 16,
    tensorBytesByPart: {
      byLayer: [16_384, 16_384],
      tokenEmbedding: 128_000,
      output: 128_000,
      other: 256,
    },
  })
})

test('gpt-oss: MXFP4, every other layer slides over 128 tokens', () => {
  const facts = safetensorsFacts([], { config: config('gpt-oss-20b'), chatTemplate: null })
  expect(facts).toMatchObject({
    quantization: 'mxfp4',
    kvHeadCount: 8,
    keyDimension: 64,
    experts: { count: 32, usedPerToken: 4 },
  })
  expect(facts.attention.slice(0, 2)).toEqual([
    { kvHeadCount: 8, windowTokens: 128 },
    { kvHeadCount: 8, windowTokens: null },
  ])
})

test('DeepSeek R1 keeps one latent vector a token', () => {
  const facts = safetensorsFacts([], { config: config('deepseek-r1'), chatTemplate: null })
  expect(facts.latentAttention).toEqual({ kvLoraRank: 512, ropeDimension: 64 })
  expect(facts).toMatchObject({ quantization: 'fp8', keyDimension: 192, valueDimension: 128 })
})

test.each<{ method: unknown; tensors: Record<string, Entry>; says: string }>([
  {
    method: { quant_method: 'awq', bits: 4 },
    tensors: {
      'model.layers.0.q_proj.qweight': ['I32', 32, [64, 8]],
      'model.layers.0.q_proj.scales': ['F16', 16, [1, 64]],
      'model.layers.0.q_proj.qzeros': ['I32', 32, [1, 8]],
    },
    says: 'awq 4-bit',
  },
  {
    method: { group_size: 64, bits: 4 },
    tensors: {
      'model.layers.0.q_proj.weight': ['U32', 32, [64, 8]],
      'model.layers.0.q_proj.scales': ['BF16', 16, [64, 1]],
      'model.layers.0.q_proj.biases': ['BF16', 16, [64, 1]],
    },
    says: 'mlx 4-bit',
  },
  {
    method: { quant_method: 'fp8' },
    tensors: {
      'model.layers.0.q_proj.weight': ['F8_E4M3', 8, [64, 64]],
      'model.layers.0.q_proj.weight_scale_inv': ['F32', 32, [1, 1]],
    },
    says: 'fp8',
  },
])('$says: 64 x 64 weights are counted, packed or not', async ({ method, tensors, says }) => {
  const facts = safetensorsFacts([await readSafetensorsHeader(file(tensors).source)], {
    config: { quantization_config: method },
    chatTemplate: null,
  })
  expect(facts).toMatchObject({ quantization: says, parameterCount: 4096 })
})

test('the language model of one that also sees is found', () => {
  const { layerCount, contextTokens } = safetensorsFacts([], {
    config: {
      architectures: ['Gemma3ForConditionalGeneration'],
      text_config: { num_hidden_layers: 62, max_position_embeddings: 131_072 },
      vision_config: { num_hidden_layers: 27 },
    },
    chatTemplate: null,
  })
  expect({ layerCount, contextTokens }).toEqual({ layerCount: 62, contextTokens: 131_072 })
})

const huge = Buffer.alloc(64)
huge.writeBigUInt64LE(2n ** 60n)
const oneTensor = (entry: unknown) => rawFile(JSON.stringify({ a: entry }))

test.each([
  { what: 'an empty file', bytes: Buffer.alloc(0), says: /is empty/ },
  { what: 'five bytes', bytes: Buffer.alloc(5), says: /cut off after 5 bytes/ },
  { what: 'a hostile length', bytes: huge, says: /would have 11529215046068\d+ bytes/ },
  {
    what: 'a cut header',
    bytes: rawFile('{"a": 1}').subarray(0, 12),
    says: /its header has 8 bytes, and it has 12/,
  },
  { what: 'no JSON', bytes: rawFile('{"a":'), says: /its header is no JSON/ },
  { what: 'no object', bytes: rawFile('[1, 2]'), says: /no JSON object/ },
  { what: 'a tensor of nothing', bytes: oneTensor(7), says: /tensor "a" has no type/ },
  {
    what: 'an unknown type',
    bytes: oneTensor({ dtype: 'F3', shape: [1], data_offsets: [0, 1] }),
    says: /of type "F3"/,
  },
  {
    what: 'a shape that does not match',
    bytes: oneTensor({ dtype: 'F32', shape: [2], data_offsets: [0, 4] }),
    says: /has 4 bytes where its shape needs 8/,
  },
  {
    what: 'a hole',
    bytes: oneTensor({ dtype: 'U8', shape: [2], data_offsets: [1, 3] }),
    says: /begins at 1, not 0/,
  },
  {
    what: 'data that is missing',
    bytes: oneTensor({ dtype: 'U8', shape: [9], data_offsets: [0, 9] }),
    says: /is cut off: they end at byte 9 of 0/,
  },
])('$what is refused in one sentence', async ({ bytes, says }) => {
  const refused = readSafetensorsHeader(bytesSource(bytes, 'x.safetensors'))
  await expect(refused).rejects.toThrow(WeightsError)
  await expect(refused).rejects.toThrow(says)
})

test('damage anywhere gives a header or a WeightsError', async () => {
  const { bytes, source } = file({
    'model.embed_tokens.weight': ['BF16', 16, [100, 64]],
    'model.layers.0.up_proj.weight': ['I8', 8, [128, 64]],
  })
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: bytes.length - 1 }),
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: bytes.length }),
      async (at, damage, cutBytes) => {
        const damaged = Buffer.from(bytes)
        damaged.set(damage.subarray(0, bytes.length - at), at)
        const sources: ByteSource[] = [
          { ...bytesSource(damaged, 'x'), sizeBytes: source.sizeBytes },
          bytesSource(damaged.subarray(0, cutBytes), 'x'),
        ]
        for (const each of sources) {
          let header: SafetensorsHeader
          try {
            header = await readSafetensorsHeader(each)
          } catch (error) {
            expect(error).toBeInstanceOf(WeightsError)
            continue
          }
          safetensorsFacts([header], { config: null, chatTemplate: null })
        }
      },
    ),
    { numRuns: 1000 },
  )
})
