import { type KnownError, torchErrors } from '#engines/engine-known-errors.ts'

export const sglangErrors: readonly KnownError[] = [
  {
    pattern: /Not enough memory\. Please try to increase --mem-fraction-static/i,
    meaning: 'The weights fill what SGLang may take, and nothing is left for the KV cache.',
    fix: 'Raise memoryFraction, take stronger quantization, or more devices.',
  },
  {
    pattern: /The memory capacity is unbalanced/i,
    meaning:
      'Another process uses some of the GPUs, so they have different amounts of memory free.',
    fix: 'Free them, or choose other devices.',
  },
  {
    pattern: /Unsupported architectures|Model architectures? .{0,200}not supported/i,
    meaning: 'This release of SGLang does not know the architecture of the model.',
    fix: 'Take a newer SGLang, or vLLM.',
  },
  {
    pattern: /Capture cuda graph failed/i,
    meaning: 'Too little memory was left to record CUDA graphs.',
    fix: 'Lower memoryFraction, or the number of slots.',
  },
  ...torchErrors,
]
