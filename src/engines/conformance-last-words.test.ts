/** What engines wrote before they ended, and what we make of it. */
import { expect, test } from 'vitest'
import type { EngineId } from '#core/engine-id.ts'
import { explainLastWords } from '#engines/engine-known-errors.ts'
import { engines } from '#engines/index.ts'

test.each<{ id: EngineId; words: string; meaning: RegExp; fix: RegExp }>([
  {
    id: 'llama-server',
    words:
      'ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient for CUDA runtime version',
    meaning: /driver is older/,
    fix: /525\.60\.13 .* CUDA 12, 580\.65\.06 .* CUDA 13/,
  },
  {
    id: 'vllm',
    words:
      'nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.0, please update your driver to a newer version',
    meaning: /image asks for a newer CUDA/,
    fix: /580\.65\.06/,
  },
  {
    id: 'vllm',
    words: 'ImportError: libcuda.so.1: cannot open shared object file: No such file or directory',
    meaning: /library of the NVIDIA driver/,
    fix: /nvidia-container-toolkit/,
  },
  {
    id: 'vllm',
    words: 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.96 GiB.',
    meaning: /memory of the GPU/,
    fix: /smaller context/,
  },
  {
    id: 'vllm',
    words:
      'ValueError: Free memory on device (3.1/23.6 GiB) on startup is less than desired GPU memory utilization (0.92, 21.7 GiB).',
    meaning: /another process uses it/,
    fix: /memoryFraction/,
  },
  {
    id: 'vllm',
    words:
      "ValueError: To serve at least one request with the models's max seq len (131072), (16.00 GiB KV cache is needed, which is larger than the available KV cache memory (4.12 GiB). Based on the available memory, the estimated maximum model length is 33744.",
    meaning: /full context does not fit/,
    fix: /Shorten the context/,
  },
  {
    id: 'vllm',
    words:
      "ValueError: Model architectures ['Qwen9ForCausalLM'] are not supported for now. Supported architectures: ...",
    meaning: /does not know the architecture/,
    fix: /newer vLLM/,
  },
  {
    id: 'vllm',
    words:
      'safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer',
    meaning: /damaged or not complete/,
    fix: /Fetch the weights again/,
  },
  {
    id: 'sglang',
    words: 'RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.',
    meaning: /nothing is left for the KV cache/,
    fix: /memoryFraction/,
  },
  {
    id: 'llama-server',
    words:
      "llama_model_load: error loading model: error loading model architecture: unknown model architecture: 'qwen9'",
    meaning: /does not know the architecture/,
    fix: /newer build/,
  },
  {
    id: 'llama-server',
    words:
      "llama_model_load: error loading model: tensor 'blk.21.ffn_up.weight' data is not within the file bounds, model is corrupted or incomplete",
    meaning: /damaged, not complete/,
    fix: /Fetch it again/,
  },
  {
    id: 'llama-server',
    words:
      'rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file or directory for GPU arch : gfx1035',
    meaning: /no code for the architecture/,
    fix: /Vulkan/,
  },
  {
    id: 'llama-server',
    words:
      'ggml_vulkan: Device memory allocation of size 8589934592 failed.\nvk::Device::allocateMemory: ErrorOutOfDeviceMemory',
    meaning: /memory of the GPU/,
    fix: /smaller context/,
  },
  {
    id: 'llama-server',
    words: "main: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8101",
    meaning: /port is taken/,
    fix: /another port/,
  },
  {
    id: 'llama-server',
    words: 'Segmentation fault (core dumped)',
    meaning: /crashed in its own code/,
    fix: /--no-repack/,
  },
  {
    id: 'ollama',
    words: 'Error: listen tcp 127.0.0.1:11434: bind: address already in use',
    meaning: /port is taken/,
    fix: /another port/,
  },
  {
    id: 'tei',
    words:
      'Error: Could not create backend\n\nCaused by: Runtime compute cap 90 is not compatible with compile time compute cap 80',
    meaning: /another architecture/,
    fix: /hopper/,
  },
  {
    id: 'whisper-cpp',
    words:
      'whisper_model_load: invalid model data (bad magic)\nerror: failed to initialize whisper context',
    meaning: /not one of whisper.cpp/,
    fix: /ggml/,
  },
  {
    id: 'speaches',
    words: 'Unable to load any of {libcudnn_ops.so.9.1.0, libcudnn_ops.so.9}',
    meaning: /cuDNN 9/,
    fix: /container/,
  },
  {
    id: 'mlx-lm',
    words: 'ValueError: Model type qwen9 not supported.',
    meaning: /does not know the architecture/,
    fix: /newer MLX-LM/,
  },
])('$id: $words', ({ id, words, meaning, fix }) => {
  const engine = engines.find((one) => one.id === id)
  // An error rarely stands alone: a traceback before it, a shutdown after it.
  for (const text of [words, `INFO: loading\nTraceback:\n${words}\nINFO: shutting down\n`]) {
    const known = explainLastWords(engine?.knownErrors ?? [], text)
    expect(known?.meaning).toMatch(meaning)
    expect(known?.fix).toMatch(fix)
  }
})
