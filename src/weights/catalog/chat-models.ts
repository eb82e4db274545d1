/**
 * Language models that people run at home and in racks, by their shapes. Shapes are those of the
 * published configurations; where a parameter count or a file size is published, the tests compare
 * what comes out with it. Those of `gemma-3-27b` and of the models below it in this list were
 * recalled rather than read again, and are held by their published parameter counts alone.
 */
import type { ChatModel } from '#weights/catalog/chat-model.ts'

const llama3 = {
  architecture: 'llama',
  vocabulary: 128_256,
  ropeFactors: true,
  contextTokens: 131_072,
}
/** 3.1 and 3.3 differ in what they were taught alone. */
const llama3Of70b = {
  ...llama3,
  ...{ layers: 80, hidden: 8_192, heads: 64, kvHeads: 8, headDimension: 128 },
  ...{ feedForward: 28_672, tied: false },
}
const qwen25 = {
  architecture: 'qwen2',
  attentionBiases: 'query-key-value',
  headDimension: 128,
  contextTokens: 32_768,
} as const
/** R1 is V3, taught to think first. */
const deepseekV3: ChatModel['shape'] = {
  architecture: 'deepseek2',
  ...{ layers: 61, hidden: 7_168, heads: 128, kvHeads: 128, headDimension: 192 },
  ...{ feedForward: 18_432, vocabulary: 129_280, contextTokens: 163_840, tied: false },
  latent: {
    ...{ queryRank: 1_536, kvRank: 512, keyDimension: 128 },
    ...{ ropeDimension: 64, valueDimension: 128 },
  },
  experts: {
    ...{ count: 256, usedPerToken: 8, feedForward: 2_048, sharedFeedForward: 2_048 },
    ...{ denseLayers: 3, choiceBias: true },
  },
}

const qwen3 = {
  architecture: 'qwen3',
  headNorms: true,
  headDimension: 128,
  vocabulary: 151_936,
  contextTokens: 40_960,
}
const gptOss = {
  architecture: 'gpt-oss',
  hidden: 2_880,
  heads: 64,
  kvHeads: 8,
  headDimension: 64,
  feedForward: 0,
  vocabulary: 201_088,
  contextTokens: 131_072,
  tied: false,
  attentionBiases: 'all',
  sinks: true,
  window: { tokens: 128, globalEvery: 2 },
} as const

export const chatModels: readonly ChatModel[] = [
  {
    name: 'llama-3.1-8b',
    hub: 'meta-llama/Llama-3.1-8B-Instruct',
    gguf: 'bartowski/Meta-Llama-3.1-8B-Instruct-GGUF',
    fp8: 'RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8',
    awq: 'hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4',
    mlx: 'mlx-community/Meta-Llama-3.1-8B-Instruct-4bit',
    shape: {
      ...llama3,
      ...{ layers: 32, hidden: 4_096, heads: 32, kvHeads: 8, headDimension: 128 },
      ...{ feedForward: 14_336, tied: false },
    },
  },
  {
    name: 'llama-3.2-1b',
    hub: 'meta-llama/Llama-3.2-1B-Instruct',
    gguf: 'bartowski/Llama-3.2-1B-Instruct-GGUF',
    shape: {
      ...llama3,
      ...{ layers: 16, hidden: 2_048, heads: 32, kvHeads: 8, headDimension: 64 },
      ...{ feedForward: 8_192, tied: true },
    },
  },
  {
    name: 'llama-3.2-3b',
    hub: 'meta-llama/Llama-3.2-3B-Instruct',
    gguf: 'bartowski/Llama-3.2-3B-Instruct-GGUF',
    shape: {
      ...llama3,
      ...{ layers: 28, hidden: 3_072, heads: 24, kvHeads: 8, headDimension: 128 },
      ...{ feedForward: 8_192, tied: true },
    },
  },
  {
    name: 'llama-3.1-70b',
    hub: 'meta-llama/Llama-3.1-70B-Instruct',
    gguf: 'bartowski/Meta-Llama-3.1-70B-Instruct-GGUF',
    fp8: 'RedHatAI/Meta-Llama-3.1-70B-Instruct-FP8',
    awq: 'hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4',
    shape: llama3Of70b,
  },
  {
    name: 'llama-3.3-70b',
    hub: 'meta-llama/Llama-3.3-70B-Instruct',
    gguf: 'bartowski/Llama-3.3-70B-Instruct-GGUF',
    fp8: 'RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic',
    awq: 'casperhansen/llama-3.3-70b-instruct-awq',
    shape: llama3Of70b,
  },
  {
    name: 'llama-3.1-405b',
    hub: 'meta-llama/Llama-3.1-405B-Instruct',
    gguf: 'bartowski/Meta-Llama-3.1-405B-Instruct-GGUF',
    fp8: 'meta-llama/Llama-3.1-405B-Instruct-FP8',
    shape: {
      ...llama3,
      ...{ layers: 126, hidden: 16_384, heads: 128, kvHeads: 8, headDimension: 128 },
      ...{ feedForward: 53_248, tied: false },
    },
  },
  {
    name: 'llama-2-7b',
    hub: 'meta-llama/Llama-2-7b-chat-hf',
    gguf: 'TheBloke/Llama-2-7B-Chat-GGUF',
    shape: llama2({ layers: 32, hidden: 4_096, heads: 32, kvHeads: 32, feedForward: 11_008 }),
  },
  {
    name: 'llama-2-13b',
    hub: 'meta-llama/Llama-2-13b-chat-hf',
    gguf: 'TheBloke/Llama-2-13B-chat-GGUF',
    shape: llama2({ layers: 40, hidden: 5_120, heads: 40, kvHeads: 40, feedForward: 13_824 }),
  },
  {
    name: 'llama-2-70b',
    hub: 'meta-llama/Llama-2-70b-chat-hf',
    gguf: 'TheBloke/Llama-2-70B-Chat-GGUF',
    shape: llama2({ layers: 80, hidden: 8_192, heads: 64, kvHeads: 8, feedForward: 28_672 }),
  },
  {
    name: 'mistral-7b-v0.3',
    aliases: ['mistral-7b'],
    hub: 'mistralai/Mistral-7B-Instruct-v0.3',
    gguf: 'bartowski/Mistral-7B-Instruct-v0.3-GGUF',
    shape: {
      architecture: 'llama',
      ...{ layers: 32, hidden: 4_096, heads: 32, kvHeads: 8, headDimension: 128 },
      ...{ feedForward: 14_336, vocabulary: 32_768, contextTokens: 32_768, tied: false },
    },
  },
  {
    name: 'mistral-small-3.1-24b',
    aliases: ['mistral-small'],
    hub: 'mistralai/Mistral-Small-3.1-24B-Instruct-2503',
    gguf: 'bartowski/mistralai_Mistral-Small-3.1-24B-Instruct-2503-GGUF',
    published: {
      repo: 'unsloth/Mistral-Small-3.1-24B-Instruct-2503-GGUF',
      name: 'UD-Q4_K_XL',
      bytes: 14_497_730_560,
    },
    shape: {
      architecture: 'llama',
      ...{ layers: 40, hidden: 5_120, heads: 32, kvHeads: 8, headDimension: 128 },
      ...{ feedForward: 32_768, vocabulary: 131_072, contextTokens: 131_072, tied: false },
    },
  },
  {
    name: 'mixtral-8x7b',
    hub: 'mistralai/Mixtral-8x7B-Instruct-v0.1',
    gguf: 'bartowski/Mixtral-8x7B-Instruct-v0.1-GGUF',
    shape: {
      architecture: 'llama',
      ...{ layers: 32, hidden: 4_096, heads: 32, kvHeads: 8, headDimension: 128 },
      ...{ feedForward: 14_336, vocabulary: 32_000, contextTokens: 32_768, tied: false },
      experts: { count: 8, usedPerToken: 2, feedForward: 14_336 },
    },
  },
  {
    name: 'qwen2.5-0.5b',
    hub: 'Qwen/Qwen2.5-0.5B-Instruct',
    gguf: 'Qwen/Qwen2.5-0.5B-Instruct-GGUF',
    shape: {
      ...qwen25,
      ...{ layers: 24, hidden: 896, heads: 14, kvHeads: 2, headDimension: 64 },
      ...{ feedForward: 4_864, vocabulary: 151_936, tied: true },
    },
  },
  {
    name: 'qwen2.5-7b',
    hub: 'Qwen/Qwen2.5-7B-Instruct',
    gguf: 'bartowski/Qwen2.5-7B-Instruct-GGUF',
    awq: 'Qwen/Qwen2.5-7B-Instruct-AWQ',
    shape: {
      ...qwen25,
      ...{ layers: 28, hidden: 3_584, heads: 28, kvHeads: 4 },
      ...{ feedForward: 18_944, vocabulary: 152_064, tied: false },
    },
  },
  {
    name: 'qwen2.5-72b',
    hub: 'Qwen/Qwen2.5-72B-Instruct',
    gguf: 'bartowski/Qwen2.5-72B-Instruct-GGUF',
    awq: 'Qwen/Qwen2.5-72B-Instruct-AWQ',
    shape: {
      ...qwen25,
      ...{ layers: 80, hidden: 8_192, heads: 64, kvHeads: 8 },
      ...{ feedForward: 29_568, vocabulary: 152_064, tied: false },
    },
  },
  {
    name: 'qwen3-8b',
    hub: 'Qwen/Qwen3-8B',
    gguf: 'Qwen/Qwen3-8B-GGUF',
    fp8: 'Qwen/Qwen3-8B-FP8',
    awq: 'Qwen/Qwen3-8B-AWQ',
    shape: {
      ...qwen3,
      ...{ layers: 36, hidden: 4_096, heads: 32, kvHeads: 8, feedForward: 12_288, tied: false },
    },
  },
  {
    name: 'qwen3-32b',
    hub: 'Qwen/Qwen3-32B',
    gguf: 'Qwen/Qwen3-32B-GGUF',
    fp8: 'Qwen/Qwen3-32B-FP8',
    awq: 'Qwen/Qwen3-32B-AWQ',
    shape: {
      ...qwen3,
      ...{ layers: 64, hidden: 5_120, heads: 64, kvHeads: 8, feedForward: 25_600, tied: false },
    },
  },
  {
    name: 'qwen3-30b-a3b',
    hub: 'Qwen/Qwen3-30B-A3B',
    gguf: 'Qwen/Qwen3-30B-A3B-GGUF',
    fp8: 'Qwen/Qwen3-30B-A3B-FP8',
    published: { repo: 'unsloth/Qwen3-30B-A3B-GGUF', name: 'UD-Q4_K_XL', bytes: 17_709_692_928 },
    shape: {
      ...qwen3,
      architecture: 'qwen3moe',
      ...{ layers: 48, hidden: 2_048, heads: 32, kvHeads: 4, feedForward: 0, tied: false },
      experts: { count: 128, usedPerToken: 8, feedForward: 768 },
    },
  },
  {
    name: 'qwen3-235b-a22b',
    hub: 'Qwen/Qwen3-235B-A22B',
    gguf: 'Qwen/Qwen3-235B-A22B-GGUF',
    fp8: 'Qwen/Qwen3-235B-A22B-FP8',
    published: { repo: 'unsloth/Qwen3-235B-A22B-GGUF', name: 'UD-Q3_K_XL', bytes: 104_146_921_472 },
    shape: {
      ...qwen3,
      architecture: 'qwen3moe',
      ...{ layers: 94, hidden: 4_096, heads: 64, kvHeads: 4, feedForward: 0, tied: false },
      experts: { count: 128, usedPerToken: 8, feedForward: 1_536 },
    },
  },
  {
    name: 'gemma-3-27b',
    hub: 'google/gemma-3-27b-it',
    gguf: 'bartowski/google_gemma-3-27b-it-GGUF',
    published: { repo: 'unsloth/gemma-3-27b-it-GGUF', name: 'UD-Q4_K_XL', bytes: 16_819_763_840 },
    shape: {
      architecture: 'gemma3',
      ...{ layers: 62, hidden: 5_376, heads: 32, kvHeads: 16, headDimension: 128 },
      ...{ feedForward: 21_504, vocabulary: 262_208, contextTokens: 131_072, tied: true },
      ...{ headNorms: true, postNorms: true, window: { tokens: 1_024, globalEvery: 6 } },
    },
  },
  {
    name: 'gpt-oss-20b',
    hub: 'openai/gpt-oss-20b',
    // As it was trained: experts in MXFP4, the rest in 16 bit.
    native: 'mxfp4',
    gguf: 'unsloth/gpt-oss-20b-GGUF',
    mixes: ['MXFP4'],
    shape: {
      ...gptOss,
      layers: 24,
      experts: { count: 32, usedPerToken: 4, feedForward: 2_880, biases: true },
    },
  },
  {
    name: 'gpt-oss-120b',
    hub: 'openai/gpt-oss-120b',
    native: 'mxfp4',
    gguf: 'unsloth/gpt-oss-120b-GGUF',
    mixes: ['MXFP4'],
    shape: {
      ...gptOss,
      layers: 36,
      experts: { count: 128, usedPerToken: 4, feedForward: 2_880, biases: true },
    },
  },
  {
    name: 'deepseek-r1',
    aliases: ['deepseek-v3-r1'],
    hub: 'deepseek-ai/DeepSeek-R1',
    native: 'fp8',
    gguf: 'unsloth/DeepSeek-R1-GGUF',
    published: { repo: 'unsloth/DeepSeek-R1-GGUF', name: 'UD-IQ1_S', bytes: 140_230_779_699 },
    shape: deepseekV3,
  },
  {
    name: 'deepseek-v3',
    hub: 'deepseek-ai/DeepSeek-V3',
    native: 'fp8',
    gguf: 'unsloth/DeepSeek-V3-GGUF',
    shape: deepseekV3,
  },
  {
    name: 'glm-4.5-air',
    hub: 'zai-org/GLM-4.5-Air',
    gguf: 'unsloth/GLM-4.5-Air-GGUF',
    fp8: 'zai-org/GLM-4.5-Air-FP8',
    published: { repo: 'unsloth/GLM-4.5-Air-GGUF', name: 'UD-Q4_K_XL', bytes: 73_028_549_632 },
    shape: {
      architecture: 'glm4moe',
      ...{ layers: 47, hidden: 4_096, heads: 96, kvHeads: 8, headDimension: 128 },
      ...{ feedForward: 10_944, vocabulary: 151_552, contextTokens: 131_072, tied: false },
      ...{ attentionBiases: 'query-key-value', predictionLayers: 1 },
      experts: {
        ...{ count: 128, usedPerToken: 8, feedForward: 1_408, sharedFeedForward: 1_408 },
        ...{ denseLayers: 1, choiceBias: true },
      },
    },
  },
  {
    name: 'llama-4-scout',
    hub: 'meta-llama/Llama-4-Scout-17B-16E-Instruct',
    gguf: 'unsloth/Llama-4-Scout-17B-16E-Instruct-GGUF',
    published: {
      repo: 'unsloth/Llama-4-Scout-17B-16E-Instruct-GGUF',
      name: 'UD-Q4_K_XL',
      bytes: 61_985_006_336,
    },
    shape: {
      architecture: 'llama4',
      ...{ layers: 48, hidden: 5_120, heads: 40, kvHeads: 8, headDimension: 128 },
      ...{ feedForward: 16_384, vocabulary: 202_048, contextTokens: 10_485_760, tied: false },
      ...{ ropeFactors: true, window: { tokens: 8_192, globalEvery: 4 } },
      experts: { count: 16, usedPerToken: 1, feedForward: 8_192, sharedFeedForward: 8_192 },
    },
  },
]

function llama2(own: {
  readonly layers: number
  readonly hidden: number
  readonly heads: number
  readonly kvHeads: number
  readonly feedForward: number
}): ChatModel['shape'] {
  return {
    ...{ architecture: 'llama', headDimension: 128, vocabulary: 32_000 },
    ...{ contextTokens: 4_096, tied: false },
    ...own,
  }
}
