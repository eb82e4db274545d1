/**
 * Releases of engines, their builds, and what each build runs on. A new release is a row here, or a
 * changed one; nothing else has to know of it.
 */
import type {
  ArchitectureRule,
  BuildException,
  LaunchKind,
  OperatingSystem,
  Support,
} from '#core/engine-build.ts'
import type { EngineId } from '#core/engine-id.ts'
import { needsCuda, relativesOf, rocmLibraryNames } from '#engines/compatibility/runtimes.ts'

const native: readonly LaunchKind[] = ['native']
const container: readonly LaunchKind[] = ['container']
const both: readonly LaunchKind[] = ['native', 'container']
const linux: readonly OperatingSystem[] = ['linux']
const linuxAndMac: readonly OperatingSystem[] = ['linux', 'macos']
const linuxAndWindows: readonly OperatingSystem[] = ['linux', 'windows']
const anySystem: readonly OperatingSystem[] = ['linux', 'macos', 'windows']

const any: ArchitectureRule = { kind: 'any' }
const named = (...names: readonly string[]): ArchitectureRule => ({ kind: 'names', names })
const computeFrom = (min: number, max?: number): ArchitectureRule => ({
  kind: 'range',
  prefix: 'sm_',
  min,
  ...(max === undefined ? {} : { max }),
})
/** With the relatives that run the code of one of them. */
const gfx = (...names: readonly string[]): ArchitectureRule => ({
  kind: 'names',
  names,
  relatives: relativesOf(names),
})

const blackwell: BuildException = {
  architectures: computeFrom(100),
  minimums: needsCuda('12.8'),
  source: 'release notes of CUDA 12.8, the first with code for Blackwell',
}

/** What every build for CUDA has in common. */
const cuda = {
  backend: 'cuda',
  exceptions: [blackwell],
  containerRuntime: {
    name: 'nvidia',
    install: 'install the NVIDIA Container Toolkit: nvidia-ctk runtime configure --runtime=docker',
  },
} as const satisfies Partial<Support>

const rocm = { backend: 'rocm', os: linux, minimums: {} } as const satisfies Partial<Support>

const metal = {
  backend: 'metal',
  kinds: native, // no container has Apple's GPU
  os: ['macos'],
  minimums: {},
  architectures: { kind: 'range', prefix: 'apple', min: 7 },
} as const satisfies Partial<Support>

const vulkan = {
  backend: 'vulkan',
  os: linuxAndWindows,
  minimums: { runtimes: { vulkan: '1.2' } },
  architectures: any,
} as const satisfies Partial<Support>

const levelZero = {
  backend: 'level-zero',
  minimums: {},
  architectures: any,
} as const satisfies Partial<Support>

const cpu = { backend: 'cpu', minimums: {}, architectures: any } as const satisfies Partial<Support>

const vllmPages = 'vLLM 0.23, docs/getting_started/installation'
const vllmGfx = named(
  'gfx90a',
  'gfx942',
  'gfx950',
  'gfx1100',
  'gfx1101',
  'gfx1150',
  'gfx1151',
  'gfx1200',
  'gfx1201',
)

const vllm: readonly Support[] = [
  {
    ...cuda,
    kinds: native,
    os: linux,
    versions: { from: '0.11' },
    // Wheels for CUDA 12.8, 12.9 and 13.0.
    minimums: needsCuda('12.0'),
    architectures: computeFrom(75),
    source: vllmPages,
  },
  {
    ...cuda,
    kinds: container,
    os: linuxAndWindows,
    versions: { from: '0.11' },
    minimums: needsCuda('13.0'),
    architectures: computeFrom(75),
    source: `${vllmPages}; its Dockerfile starts from CUDA 13.0`,
  },
  {
    ...cuda,
    kinds: both,
    os: linux,
    versions: { before: '0.11' },
    minimums: needsCuda('12.0'),
    architectures: computeFrom(70),
    source: 'vLLM 0.10 was the last that named V100; from memory of its users',
  },
  {
    ...rocm,
    kinds: native,
    minimums: { runtimes: { rocm: '6.3' } },
    architectures: vllmGfx,
    exceptions: [
      {
        architectures: named('gfx950'),
        minimums: { runtimes: { rocm: '7.0' } },
        source: vllmPages,
      },
      {
        architectures: named('gfx1150', 'gfx1151'),
        minimums: { runtimes: { rocm: '7.0.2' } },
        source: vllmPages,
      },
    ],
    source: vllmPages,
  },
  {
    ...rocm,
    kinds: container,
    architectures: vllmGfx,
    source: `${vllmPages}; its image brings ROCm 7.2.3`,
  },
  { ...levelZero, kinds: container, os: linux, source: vllmPages },
  {
    ...cpu,
    kinds: both,
    os: linux,
    architectures: named('x86_64', 'aarch64'),
    exceptions: [
      {
        architectures: named('x86_64'),
        minimums: { cpuFeatures: ['avx2'] },
        source: vllmPages,
      },
      {
        architectures: named('x86_64'),
        lacks: 'avx512f',
        worse: 'without AVX-512 it has fewer features and is slow',
        source: vllmPages,
      },
    ],
    tunedFor: 'throughput',
    source: vllmPages,
  },
]

const sglangPages = 'SGLang 0.5.10, docs/get_started/install and docker/'

const sglang: readonly Support[] = [
  {
    ...cuda,
    kinds: native,
    os: linux,
    // Built for CUDA 12.6, 12.8, 12.9 and 13.0.
    minimums: needsCuda('12.0'),
    // Turing starts with some models and attention kernels only.
    architectures: computeFrom(80),
    source: sglangPages,
  },
  {
    ...cuda,
    kinds: container,
    os: linuxAndWindows,
    minimums: needsCuda('13.0'),
    architectures: computeFrom(80),
    source: sglangPages,
  },
  { ...rocm, kinds: container, architectures: named('gfx942', 'gfx950'), source: sglangPages },
]

const tensorrtLlm: readonly Support[] = [
  {
    ...cuda,
    kinds: ['container', 'native'],
    os: linux,
    minimums: needsCuda('13.0'),
    architectures: computeFrom(80),
    source: 'TensorRT-LLM, support matrix of 2026',
  },
]

const llamaPages = 'llama.cpp of August 2026, docs/build and .devops/'
/** What GGML's libraries for CUDA 12 have code for; those for 13 have none before Turing. */
const ggmlCuda = { ...cuda, minimums: needsCuda('12.0'), architectures: computeFrom(50) } as const

const llamaServer: readonly Support[] = [
  { ...ggmlCuda, kinds: both, os: linuxAndWindows, source: llamaPages },
  {
    ...rocm,
    kinds: both,
    architectures: gfx(
      'gfx908',
      'gfx90a',
      'gfx942',
      'gfx1030',
      'gfx1100',
      'gfx1101',
      'gfx1102',
      'gfx1150',
      'gfx1151',
      'gfx1200',
      'gfx1201',
    ),
    source: `${llamaPages}; its image brings ROCm 7.2.1`,
  },
  { ...metal, source: llamaPages },
  { ...vulkan, kinds: both, source: llamaPages },
  { ...levelZero, kinds: both, os: linuxAndWindows, source: llamaPages },
  { ...cpu, kinds: both, os: anySystem, source: llamaPages },
]

const embeddedPages = 'node-llama-cpp 3, its prebuilt packages'

const motleyEmbedded: readonly Support[] = [
  { ...ggmlCuda, kinds: native, os: linuxAndWindows, source: embeddedPages },
  { ...metal, source: embeddedPages },
  { ...vulkan, kinds: native, source: embeddedPages },
  { ...cpu, kinds: native, os: anySystem, source: embeddedPages },
]

const ollamaPages = 'Ollama of August 2026, docs/gpu'

const ollama: readonly Support[] = [
  {
    ...cuda,
    kinds: both,
    os: linuxAndWindows,
    minimums: { drivers: { linux: '550', windows: '551.61' } },
    architectures: computeFrom(50),
    exceptions: [
      blackwell,
      {
        architectures: computeFrom(50, 62),
        minimums: { drivers: { linux: '570', windows: '570' } },
        source: ollamaPages,
      },
    ],
    source: ollamaPages,
  },
  {
    ...rocm,
    kinds: both,
    minimums: { runtimes: { rocm: '7.0' } },
    architectures: gfx(...rocmLibraryNames),
    source: ollamaPages,
  },
  { ...metal, source: ollamaPages },
  { ...vulkan, kinds: both, source: ollamaPages },
  { ...cpu, kinds: both, os: anySystem, source: ollamaPages },
]

const teiPages = 'Text Embeddings Inference 1.9, supported_models'

const tei: readonly Support[] = [
  {
    ...cuda,
    kinds: both,
    os: linux,
    minimums: needsCuda('12.2'),
    // One image for each: the kernels of the others are not in it.
    architectures: named('sm_75', 'sm_80', 'sm_86', 'sm_89', 'sm_90', 'sm_100', 'sm_120', 'sm_121'),
    exceptions: [
      blackwell,
      {
        architectures: named('sm_75', 'sm_100', 'sm_120', 'sm_121'),
        worse: 'its makers call the build for this architecture experimental',
        source: teiPages,
      },
    ],
    source: teiPages,
  },
  { ...metal, source: teiPages },
  {
    ...cpu,
    kinds: both,
    os: linuxAndMac,
    architectures: named('x86_64', 'aarch64'),
    source: teiPages,
  },
]

const infinityPages = 'Infinity of October 2025, README and libs/infinity_emb/'

const infinity: readonly Support[] = [
  {
    ...cuda,
    kinds: both,
    os: linux,
    minimums: needsCuda('12.0'),
    architectures: computeFrom(50),
    source: infinityPages,
  },
  { ...rocm, kinds: both, architectures: named(...rocmLibraryNames), source: infinityPages },
  { ...metal, source: infinityPages },
  { ...cpu, kinds: both, os: linuxAndMac, source: infinityPages },
]

const whisperPages = 'whisper.cpp of August 2026, README and .devops/'

const whisperCpp: readonly Support[] = [
  { ...ggmlCuda, kinds: both, os: linuxAndWindows, source: whisperPages },
  { ...rocm, kinds: native, architectures: gfx(...rocmLibraryNames), source: whisperPages },
  { ...metal, source: whisperPages },
  { ...vulkan, kinds: both, source: whisperPages },
  { ...cpu, kinds: both, os: anySystem, source: whisperPages },
]

const mlxLm: readonly Support[] = [
  { ...metal, minimums: { macos: '13.5' }, source: 'MLX-LM of August 2026, installation page' },
]

const openvinoPages = 'OpenVINO Model Server of August 2026, docs/accelerators'

const openvino: readonly Support[] = [
  { ...levelZero, kinds: both, os: linuxAndWindows, source: openvinoPages },
  {
    ...cpu,
    kinds: both,
    os: linuxAndWindows,
    architectures: named('x86_64', 'aarch64'),
    source: openvinoPages,
  },
]

const kokoroPages = 'Kokoro-FastAPI of August 2026, README'

const kokoro: readonly Support[] = [
  {
    ...cuda,
    kinds: container,
    os: linuxAndWindows,
    minimums: needsCuda('12.0'),
    architectures: computeFrom(50),
    source: kokoroPages,
  },
  { ...rocm, kinds: container, architectures: named(...rocmLibraryNames), source: kokoroPages },
  { ...cpu, kinds: container, os: anySystem, source: kokoroPages },
]

const xttsPages = 'openedai-speech, README and Dockerfiles'

const xtts: readonly Support[] = [
  {
    ...cuda,
    kinds: container,
    os: linuxAndWindows,
    minimums: needsCuda('12.0'),
    // XTTS stays with a PyTorch from before Blackwell.
    architectures: computeFrom(50, 90),
    source: xttsPages,
  },
  { ...rocm, kinds: container, architectures: named(...rocmLibraryNames), source: xttsPages },
  { ...cpu, kinds: container, os: anySystem, source: xttsPages },
]

const speachesPages = 'speaches of March 2026, installation page; CTranslate2, hardware support'

const speaches: readonly Support[] = [
  {
    ...cuda,
    kinds: both,
    os: linuxAndWindows,
    minimums: needsCuda('12.0'),
    architectures: computeFrom(61),
    source: speachesPages,
  },
  { ...cpu, kinds: both, os: anySystem, source: speachesPages },
]

export const builds: Readonly<Record<EngineId, readonly Support[]>> = {
  vllm,
  sglang,
  'llama-server': llamaServer,
  ollama,
  'motley-embedded': motleyEmbedded,
  'tensorrt-llm': tensorrtLlm,
  tei,
  infinity,
  'whisper-cpp': whisperCpp,
  'mlx-lm': mlxLm,
  openvino,
  kokoro,
  xtts,
  speaches,
  openai: [],
}
