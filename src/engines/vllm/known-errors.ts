import {
  cudaErrors,
  type KnownError,
  levelZeroErrors,
  processErrors,
  pythonErrors,
  rocmErrors,
} from '#engines/engine-known-errors.ts'

export const vllmErrors: readonly KnownError[] = [
  {
    pattern: /Free memory on device .{0,200}is less than desired GPU memory utilization/s,
    meaning: 'Less memory of the GPU is free than vLLM was told to take: another process uses it.',
    fix: 'Lower memoryFraction, or free the GPU.',
  },
  {
    pattern: /KV cache is needed, which is larger than the available KV cache memory/i,
    meaning:
      'One request of the full context does not fit in what the weights leave of the memory.',
    fix: 'Shorten the context (the message names an estimate), or raise memoryFraction.',
  },
  {
    pattern: /No available memory for the cache blocks/i,
    meaning: 'The weights fill what vLLM may take, and nothing is left for the KV cache.',
    fix: 'Raise memoryFraction, take stronger quantization, or more devices.',
  },
  {
    pattern: /must be divisible by tensor parallel size|total number of attention heads/i,
    meaning: 'The attention heads of the model cannot be shared by that many devices.',
    fix: 'Take a tensorParallel that divides the number of heads: 1, 2, 4 or 8.',
  },
  {
    pattern:
      /Model architectures? .{0,200}(are not supported|is not supported|failed to be inspected)/i,
    meaning: 'This release of vLLM does not know the architecture of the model.',
    fix: 'Take a newer vLLM, or GGUF weights with llama-server.',
  },
  {
    pattern: /User-specified max_model_len .{0,80}is greater than the derived max_model_len/i,
    meaning: 'The context is longer than the model was made for.',
    fix: 'Shorten the context to what the message names.',
  },
  {
    pattern:
      /quantization method .{0,80}(is not supported|is currently not supported|minimum capability)/i,
    meaning: 'The GPU cannot compute with weights quantized in this way.',
    fix: 'Take other weights of the model: AWQ or GPTQ from sm_75 up, FP8 from sm_89 up.',
  },
  ...cudaErrors,
  ...rocmErrors,
  ...levelZeroErrors,
  ...pythonErrors,
  ...processErrors,
]
