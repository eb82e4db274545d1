/**
 * What processes hold of a device before any tensor. From collected reports: a CUDA context is 250 to
 * 600 MiB, more on newer cards and with more kernels; ROCm's 200 to 500; Ollama sets 457 MiB aside.
 */
import type { BatchTokens, KvCacheType, ProcessBytes } from '#core/engine-memory.ts'

const mebibyte = 2 ** 20
const gibibyte = 2 ** 30

/**
 * Engines on ggml, whose kernels are few. ROCm and Vulkan as measured on Strix Halo, where what is
 * taken beyond weights, KV cache and buffers is 55 to 620 MiB, mostly around 200.
 */
export const ggmlProcessBytes: ProcessBytes = {
  cuda: 450 * mebibyte,
  rocm: 250 * mebibyte,
  vulkan: 200 * mebibyte,
  'level-zero': 300 * mebibyte,
  metal: 128 * mebibyte,
  cpu: 150 * mebibyte,
}

/** Engines on PyTorch: its context, its libraries' workspaces, NCCL. */
export const torchProcessBytes: ProcessBytes = {
  cuda: 500 * mebibyte,
  rocm: 500 * mebibyte,
  'level-zero': 500 * mebibyte,
  metal: 300 * mebibyte,
  cpu: 1024 * mebibyte,
}

/**
 * llama.cpp since 2025 takes flash attention by itself where it has kernels for it; in OpenVINO's
 * and SYCL's builds it does not.
 */
export const ggmlMemory = {
  kind: 'whole-context',
  /** `--ubatch-size`. */
  batchTokens: 512,
  paddingTokens: 256,
  keepsTokenEmbeddingOnHost: true,
  flashAttention: ['cuda', 'rocm', 'metal', 'vulkan', 'cpu'],
  kvCacheTypes: ['f16', 'q8_0', 'q4_0'] satisfies readonly KvCacheType[],
  processBytes: ggmlProcessBytes,
} as const

/**
 * SGLang's steps by the memory of the device (`server_args.py`); others are set up much alike.
 */
export const stepsByMemory: BatchTokens = [
  { fromMemoryBytes: 0, tokens: 2_048 },
  { fromMemoryBytes: 35 * gibibyte, tokens: 4_096 },
  { fromMemoryBytes: 60 * gibibyte, tokens: 8_192 },
  { fromMemoryBytes: 160 * gibibyte, tokens: 16_384 },
]
