/**
 * Which engine has kernels for which numbers and which attention, on what. An engine with an entry
 * has nothing beyond its rules; without one nobody has looked, and nothing is refused.
 */
import type { CapabilityFacts, CapabilityRule } from '#core/compatibility.ts'
import type { ArchitectureRule, Backend } from '#core/engine-build.ts'
import type { EngineId } from '#core/engine-id.ts'

export interface CapabilityRow extends CapabilityFacts {
  readonly engines: readonly EngineId[]
}

type Extras = Omit<CapabilityRule, 'backend' | 'architectures'>

const on = (backend: Backend, extras: Extras = {}): CapabilityRule => ({
  backend,
  architectures: { kind: 'any' },
  ...extras,
})
const compute = (min: number, max?: number, extras: Extras = {}): CapabilityRule => ({
  backend: 'cuda',
  architectures: {
    kind: 'range',
    prefix: 'sm_',
    min,
    ...(max === undefined ? {} : { max }),
  } satisfies ArchitectureRule,
  ...extras,
})
const names = (backend: Backend, list: readonly string[], extras: Extras = {}): CapabilityRule => ({
  backend,
  architectures: { kind: 'names', names: list },
  ...extras,
})

const ggml: readonly EngineId[] = ['llama-server', 'motley-embedded', 'ollama']
const torch: readonly EngineId[] = ['vllm', 'sglang']

const vllmTable = 'vLLM of August 2026, docs/features/quantization: supported hardware'
const gguf = 'take the model as GGUF (Q4_K_M), which llama.cpp runs everywhere'
const half = {
  set: '--dtype half',
  why: 'there is no bfloat16 before sm_80, and it refuses to convert by itself',
}
const marlin = 'the weights stay in this format and are computed with in 16 bit (Marlin kernels)'
const experimental = 'it runs on Triton kernels that its makers do not list: try it first'

const ranBackends: readonly Backend[] = ['cuda', 'rocm', 'metal', 'vulkan', 'level-zero', 'cpu']

/** Numbers that weights are stored in. */
const numberFormats: readonly CapabilityRow[] = [
  {
    capability: 'bf16',
    title: 'BF16',
    engines: ['vllm', 'sglang', 'tensorrt-llm'],
    rules: [
      compute(80),
      compute(50, 79, { setting: half }),
      names('rocm', ['gfx900', 'gfx906'], { worse: 'BF16 is emulated there, and slow' }),
      on('rocm'),
      on('level-zero'),
      on('cpu', { cpuFeatures: ['avx512_bf16', 'amx_bf16', 'bf16'] }),
      on('cpu', { worse: 'without AVX512-BF16 or AMX it computes BF16 slowly' }),
    ],
    instead: gguf,
    source: 'CUDA and ROCm programming guides; vLLM refuses BF16 before 8.0',
  },
  {
    capability: 'bf16',
    title: 'BF16',
    engines: ['mlx-lm'],
    rules: [names('metal', ['apple7'], { worse: 'M1 emulates BF16' }), on('metal')],
    instead: null,
    source: 'Metal feature set tables: bfloat from Apple8 on',
  },
  {
    capability: 'bf16',
    title: 'BF16',
    engines: ['tei', 'infinity'],
    rules: [on('cuda'), on('rocm'), on('metal'), on('cpu')],
    instead: null,
    source: 'they convert weights to what the device computes in: --dtype of their pages',
  },
  {
    capability: 'fp16',
    title: 'FP16',
    engines: ['vllm', 'sglang', 'tensorrt-llm', 'tei', 'infinity', 'mlx-lm'],
    rules: [
      compute(60),
      compute(50, 59, { worse: 'Maxwell computes FP16 no faster than FP32' }),
      on('rocm'),
      on('level-zero'),
      on('metal'),
      on('cpu', { worse: 'CPUs compute FP16 as wider numbers' }),
    ],
    instead: null,
    source: 'CUDA programming guide, arithmetic throughput',
  },
  {
    capability: 'fp8',
    title: 'FP8',
    engines: ['vllm'],
    rules: [
      compute(89),
      compute(75, 88, { worse: marlin }),
      names('rocm', ['gfx942', 'gfx950', 'gfx1200', 'gfx1201']),
      on('level-zero', { worse: 'the weights alone are FP8 there' }),
    ],
    instead: gguf,
    source: vllmTable,
  },
  {
    capability: 'fp8',
    title: 'FP8',
    engines: ['sglang'],
    rules: [compute(89), compute(80, 88, { worse: marlin }), names('rocm', ['gfx942', 'gfx950'])],
    instead: gguf,
    source: 'SGLang 0.5.10, docs/advanced_features/quantization',
  },
  {
    capability: 'fp8',
    title: 'FP8',
    engines: ['tensorrt-llm'],
    rules: [compute(89)],
    instead: gguf,
    source: 'TensorRT-LLM, support matrix of 2026',
  },
  {
    capability: 'fp8-kv-cache',
    title: 'a KV cache in FP8',
    engines: torch,
    rules: [compute(89), names('rocm', ['gfx942', 'gfx950'])],
    instead: 'kvCacheTypes with f16, or a device with FP8 of its own',
    source:
      'vLLM and SGLang, docs on quantized KV caches; Triton has no e4m3 before sm_89 (vllm issue 7714)',
  },
  {
    capability: 'fp8-kv-cache',
    title: 'a KV cache in FP8',
    engines: ['tensorrt-llm'],
    rules: [compute(89)],
    instead: 'kvCacheTypes with f16, or a device with FP8 of its own',
    source: 'TensorRT-LLM, support matrix of 2026: FP8 KV cache on Ada, Hopper and Blackwell',
  },
  {
    capability: 'awq',
    title: 'AWQ',
    engines: torch,
    rules: [
      compute(80),
      compute(75, 79, { worse: 'Turing runs it without the fast kernels' }),
      on('rocm', { worse: experimental }),
      on('level-zero'),
      names('cpu', ['x86_64']),
    ],
    instead: gguf,
    source: `${vllmTable}; for AMD its code says yes and this table no`,
  },
  {
    capability: 'gptq',
    title: 'GPTQ',
    engines: torch,
    rules: [
      compute(75),
      compute(70, 74, { worse: 'Volta runs it without the fast kernels' }),
      on('rocm', { worse: experimental }),
      on('level-zero'),
      names('cpu', ['x86_64']),
    ],
    instead: gguf,
    source: `${vllmTable}; for AMD its code says yes and this table no`,
  },
  {
    capability: 'bitsandbytes',
    title: 'bitsandbytes',
    engines: ['vllm'],
    rules: [
      compute(70, undefined, {
        setting: {
          set: 'pip install vllm-bnb-plugin',
          why: 'bitsandbytes has moved out of vLLM into this plugin',
        },
      }),
    ],
    instead: gguf,
    source: vllmTable,
  },
  {
    capability: 'int8',
    title: 'INT8 W8A8',
    engines: ['vllm'],
    rules: [compute(75), names('cpu', ['x86_64', 'aarch64'])],
    instead: gguf,
    source: vllmTable,
  },
  {
    capability: 'mxfp4',
    title: 'MXFP4',
    engines: torch,
    rules: [
      compute(80),
      names('rocm', ['gfx950']),
      names('rocm', ['gfx942'], { worse: 'MXFP4 is emulated there' }),
    ],
    instead: 'take the model as GGUF, which keeps MXFP4 and which llama.cpp runs everywhere',
    source: `${vllmTable}: Marlin has no MXFP4 for Turing`,
  },
  {
    capability: 'mxfp4',
    title: 'MXFP4',
    engines: ['mlx-lm'],
    rules: [on('metal')],
    instead: null,
    source: 'MLX-LM of August 2026, README',
  },
  {
    capability: 'nvfp4',
    title: 'NVFP4',
    engines: ['vllm'],
    rules: [compute(100, 103), compute(120, 121), compute(80, 99, { worse: marlin })],
    instead: 'take another quantization: AWQ, FP8 or GGUF',
    source: `${vllmTable}; Marlin for older GPUs from its code, not verified`,
  },
  {
    capability: 'nvfp4',
    title: 'NVFP4',
    engines: ['sglang'],
    rules: [
      compute(100, 103),
      compute(120, 121),
      compute(80, 99, { worse: marlin }),
      names('rocm', ['gfx942', 'gfx950'], { worse: 'it runs through Petit kernels' }),
    ],
    instead: 'take another quantization: AWQ, FP8 or GGUF',
    source: 'SGLang 0.5.10, docs/advanced_features/quantization',
  },
  {
    capability: 'nvfp4',
    title: 'NVFP4',
    engines: ['tensorrt-llm'],
    rules: [compute(100)],
    instead: 'take another quantization: AWQ, FP8 or GGUF',
    source: 'TensorRT-LLM, support matrix of 2026',
  },
  {
    capability: 'exl',
    title: 'EXL2 and EXL3',
    engines: ['vllm', 'sglang', 'tensorrt-llm', 'mlx-lm'],
    rules: [],
    instead: gguf,
    source: 'read by ExLlama alone, which Motley does not start',
  },
  {
    capability: 'mlx-quantized',
    title: "MLX' quantization",
    engines: ['mlx-lm'],
    rules: [on('metal')],
    instead: gguf,
    source: 'MLX-LM of August 2026, README',
  },
  {
    capability: 'mlx-quantized',
    title: "MLX' quantization",
    engines: ['vllm', 'sglang', 'tensorrt-llm'],
    rules: [],
    instead: gguf,
    source: vllmTable,
  },
  ...(
    ['awq', 'gptq', 'bitsandbytes', 'fp8', 'mxfp4', 'nvfp4', 'int8', 'mlx-quantized'] as const
  ).map(
    (capability): CapabilityRow => ({
      capability,
      title: capability.toUpperCase(),
      engines: ['tei'],
      rules: [],
      instead: 'take the model in BF16 or FP16: models for embeddings are small',
      source: 'Text Embeddings Inference 1.9, supported_models: no quantization but its own types',
    }),
  ),
  ...(['awq', 'gptq', 'bitsandbytes', 'fp8', 'nvfp4', 'int8'] as const).map(
    (capability): CapabilityRow => ({
      capability,
      title: capability === 'bitsandbytes' ? capability : capability.toUpperCase(),
      engines: ['mlx-lm'],
      rules: [],
      instead: 'take the model as MLX or GGUF',
      source: 'MLX-LM of August 2026: its own quantization, and that of gpt-oss',
    }),
  ),
  {
    capability: 'gguf',
    title: 'GGUF',
    engines: ggml,
    rules: ranBackends.map((backend) => on(backend)),
    instead: null,
    source: 'llama.cpp of August 2026, README: supported backends',
  },
]

/** Kernels of attention. */
const attention: readonly CapabilityRow[] = [
  {
    capability: 'flash-attention',
    title: "llama.cpp's flash attention",
    engines: ggml,
    rules: [
      compute(70),
      compute(50, 69, { worse: 'without tensor cores it is hardly faster' }),
      on('rocm'),
      on('metal'),
      on('vulkan', { worse: 'it is only fast where the driver has cooperative matrices' }),
      on('level-zero'),
      on('cpu'),
    ],
    instead: null,
    source: 'llama.cpp of August 2026, docs/backend',
  },
  {
    capability: 'flash-attention-2',
    title: 'FlashAttention-2',
    engines: torch,
    rules: [compute(80)],
    instead: 'take FlashInfer (from sm_75 on) or Triton attention',
    source: 'FlashAttention, README: Ampere and newer',
  },
  {
    capability: 'flash-attention-3',
    title: 'FlashAttention-3',
    engines: torch,
    rules: [compute(90, 90)],
    instead: 'take FlashAttention-2 or FlashInfer',
    source: 'FlashAttention, README: Hopper alone',
  },
  {
    capability: 'flashinfer',
    title: 'FlashInfer',
    engines: torch,
    rules: [compute(80), compute(75, 79, { worse: 'it is made for sm_80 and newer' })],
    instead: 'take Triton attention',
    source: 'FlashInfer, README',
  },
  {
    capability: 'triton-attention',
    title: 'Triton attention',
    engines: torch,
    rules: [compute(75), on('rocm')],
    instead: null,
    source: 'vLLM of August 2026, attention backends',
  },
  {
    capability: 'aiter',
    title: 'AITER',
    engines: torch,
    rules: [
      names('rocm', ['gfx942', 'gfx950']),
      names('rocm', ['gfx90a'], { worse: 'only some of its kernels are there' }),
    ],
    instead: 'take Triton attention',
    source: 'AITER, README',
  },
]

export const capabilityRows: readonly CapabilityRow[] = [...numberFormats, ...attention]
