import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type GgufMetadata, ggufBytes } from '#testing/gguf-bytes.ts'
import { type ByteSource, bytesSource, openFile } from '#weights/byte-source.ts'
import { readGgufHeader } from '#weights/formats/gguf.ts'
import { ggufFacts } from '#weights/formats/gguf-facts.ts'
import { WeightsError } from '#weights/weights-error.ts'

const tinyPath = 'models/motley-tiny.gguf'

/** A recorded header, and behind it as many bytes as the whole file has. */
function recorded(name: string, fileBytes: number): ByteSource {
  const header = readFileSync(`fixtures/weights/gguf/${name}.header`)
  return { ...bytesSource(header, name), sizeBytes: fileBytes }
}

/** Counts what is asked of a source. */
function counted(source: ByteSource) {
  const asked = { bytes: 0, reads: 0 }
  const read = async (offset: number, length: number) => {
    const bytes = await source.read(offset, length)
    asked.bytes += bytes.length
    asked.reads += 1
    return bytes
  }
  return { asked, source: { ...source, read } }
}

test('the bundled model is what models/README.md says', async () => {
  const file = await openFile(tinyPath)
  const facts = ggufFacts([await readGgufHeader(file)])
  await file.close()
  expect(facts).toMatchObject({
    format: 'gguf',
    architecture: 'llama',
    parameterCount: 2_164_800,
    quantization: 'Q8_0',
    contextTokens: 1024,
    layerCount: 5,
    embeddingLength: 192,
    headCount: 6,
    kvHeadCount: 2,
    keyDimension: 32,
    vocabularySize: 1024,
    pooling: 'mean',
  })
  expect(facts.chatTemplate).toContain('<|im_start|>')
  expect(facts.attention).toEqual(Array(5).fill({ kvHeadCount: 2, windowTokens: null }))
  const { byLayer, tokenEmbedding, output, other } = facts.tensorBytesByPart
  expect(byLayer.reduce((all, bytes) => all + bytes, tokenEmbedding + output + other)).toBe(
    facts.tensorBytes,
  )
})

test('Llama 3.1 8B Q4_K_M has the bytes that llama.cpp prints', async () => {
  const header = await readGgufHeader(recorded('llama-3.1-8b-q4_k_m', 4_912_916_512))
  const facts = ggufFacts([header])
  expect(facts).toMatchObject({
    name: 'Meta Llama 3.1 8B Instruct',
    quantization: 'Q4_K_M',
    tensorBytes: 4_912_898_304,
    parameterCount: 8_030_261_312,
    headCount: 32,
    kvHeadCount: 8,
    keyDimension: 128,
    contextTokens: 131_072,
  })
  expect(facts.bitsPerWeight).toBeCloseTo(4.89, 2)
  // 128256 rows of 4096 weights of 4.5 bits: what llama.cpp keeps in host memory, 281.81 MiB.
  expect(facts.tensorBytesByPart.tokenEmbedding / 1024 ** 2).toBeCloseTo(281.81, 2)
})

test('Gemma 3 has ten layers that see everything, and 52 that see 1024 tokens', async () => {
  const facts = ggufFacts([await readGgufHeader(recorded('gemma-3-27b-bf16', 54_021_450_176))])
  const whole = facts.attention.flatMap(({ windowTokens }, layer) =>
    windowTokens === null ? [layer] : [],
  )
  expect(whole).toEqual([5, 11, 17, 23, 29, 35, 41, 47, 53, 59])
  expect(facts.attention[0]).toEqual({ kvHeadCount: 16, windowTokens: 1024 })
  expect(facts.parameterCount).toBe(27_009_346_304)
})

test('the experts of Qwen3 30B A3B are most of its bytes', async () => {
  const facts = ggufFacts([await readGgufHeader(recorded('qwen3-30b-a3b-q8_0', 32_477_999_168))])
  expect(facts.experts).toEqual({ count: 128, usedPerToken: 8 })
  expect(facts.parameterCount).toBe(30_532_122_624)
  // Three matrices of 768 x 2048 weights for each of 128 experts, 8.5 bits a weight.
  const oneLayer = (3 * 768 * 2048 * 128 * 34) / 32
  expect(facts.tensorBytesByPart.expertsByLayer).toEqual(Array(48).fill(oneLayer))
})

test('a list of heads, one a layer, says which layers have attention', async () => {
  const { header, fileBytes } = ggufBytes(
    {
      'general.architecture': 'nemotron_h',
      'nemotron_h.block_count': 4,
      'nemotron_h.attention.head_count': 32,
      'nemotron_h.attention.head_count_kv': [0, 8, 0, 8],
    },
    [],
  )
  const facts = ggufFacts([await readGgufHeader({ ...bytesSource(header), sizeBytes: fileBytes })])
  expect(facts.attention.map(({ kvHeadCount }) => kvHeadCount)).toEqual([0, 8, 0, 8])
  expect(facts.kvHeadCount).toBe(8)
})

test('latent attention and the hidden full-attention layers of hybrids are read', async () => {
  const read = async (metadata: GgufMetadata) => {
    const { header } = ggufBytes(metadata, [])
    return ggufFacts([await readGgufHeader(bytesSource(header))])
  }
  const deepseek = await read({
    'general.architecture': 'deepseek2',
    'deepseek2.block_count': 61,
    'deepseek2.attention.head_count': 128,
    'deepseek2.attention.head_count_kv': 1,
    'deepseek2.attention.kv_lora_rank': 512,
    'deepseek2.rope.dimension_count': 64,
  })
  expect(deepseek.latentAttention).toEqual({ kvLoraRank: 512, ropeDimension: 64 })
  const hybrid = await read({
    'general.architecture': 'qwen3next',
    'qwen3next.block_count': 8,
    'qwen3next.attention.head_count': 16,
    'qwen3next.attention.head_count_kv': 2,
    'qwen3next.full_attention_interval': 4,
  })
  expect(hybrid.attention.map(({ kvHeadCount }) => kvHeadCount)).toEqual([0, 0, 0, 2, 0, 0, 0, 2])
})

test('a vocabulary is passed over, not kept: a few fetches, and its length is known', async () => {
  const tokens = Array.from({ length: 130_000 }, (_, index) => `token-${index}`)
  const { header } = ggufBytes(
    {
      'general.architecture': 'llama',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.scores': tokens.map(() => 0.5),
    },
    [],
  )
  const { asked, source } = counted(bytesSource(header))
  const parsed = await readGgufHeader(source)
  expect(ggufFacts([parsed]).vocabularySize).toBe(130_000)
  expect(parsed.metadata.get('tokenizer.ggml.scores')).toEqual({ length: 130_000 })
  expect(asked.reads).toBeLessThanOrEqual(5)
})

test('the header of a large file costs less than a megabyte', async () => {
  const { asked, source } = counted(recorded('llama-3.1-8b-q4_k_m', 4_912_916_512))
  await readGgufHeader(source)
  expect(asked.bytes).toBeLessThan(1_000_000)
})

const tiny = readFileSync(tinyPath)
function start(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(tiny.subarray(0, 4096))
  change(bytes)
  return bytes
}

test.each([
  { what: 'an empty file', bytes: Buffer.alloc(0), says: /is empty/ },
  { what: 'a text', bytes: Buffer.from('{"a": 1}'.repeat(9)), says: /begins with "\{\\"a\\""/ },
  { what: 'a few bytes', bytes: tiny.subarray(0, 9), says: /cut off or damaged/ },
  { what: 'version 9', bytes: start((bytes) => bytes.writeUInt32LE(9, 4)), says: /version 9/ },
  {
    what: 'a big-endian file',
    bytes: start((bytes) => bytes.writeUInt32BE(3, 4)),
    says: /big-endian/,
  },
  {
    what: 'a billion tensors',
    bytes: start((bytes) => bytes.writeBigUInt64LE(1_000_000_000n, 8)),
    says: /1000000000 tensors .* does not fit/,
  },
  {
    what: 'a key of 2^63 letters',
    bytes: start((bytes) => bytes.writeBigUInt64LE(2n ** 63n, 24)),
    says: /key 0 has 92233720368547\d+ letters/,
  },
  {
    what: 'a file cut after its header',
    bytes: tiny.subarray(0, tiny.length - 1000),
    says: /its tensors end at byte 2337664, and it has 2336664 bytes/,
  },
])('$what is refused in one sentence', async ({ bytes, says }) => {
  const refused = readGgufHeader(bytesSource(bytes, 'x.gguf'))
  await expect(refused).rejects.toThrow(WeightsError)
  await expect(refused).rejects.toThrow(says)
})

/** The tiny model's header, with its tensors left out: what mutations are made of. */
const headerBytes = 40_000

test('damage anywhere in a header gives facts or a WeightsError, and reads little', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          at: fc.integer({ min: 0, max: headerBytes - 8 }),
          value: fc.oneof(
            fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
            fc.constantFrom(0n, 255n, 2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
          ),
          width: fc.constantFrom(1, 4, 8),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      fc.oneof(fc.constant(tiny.length), fc.integer({ min: 0, max: headerBytes })),
      async (damages, sizeBytes) => {
        const bytes = Buffer.from(tiny.subarray(0, headerBytes))
        for (const { at, value, width } of damages) {
          const eight = Buffer.alloc(8)
          eight.writeBigUInt64LE(value)
          eight.copy(bytes, at, 0, width)
        }
        const { asked, source } = counted({
          ...bytesSource(sizeBytes < bytes.length ? bytes.subarray(0, sizeBytes) : bytes),
          sizeBytes,
        })
        try {
          ggufFacts([await readGgufHeader(source)])
        } catch (error) {
          expect(error).toBeInstanceOf(WeightsError)
        }
        expect(asked.bytes).toBeLessThanOrEqual(headerBytes * 2)
      },
    ),
    { numRuns: 2000 },
  )
})
