/** Which capability the weights of a model ask for, by what their files call their quantization. */
import type { Capability } from '#core/compatibility.ts'
import type { ModelFacts } from '#core/model-facts.ts'

/** Names as quantizers write them into a model's configuration; the first that matches counts. */
const patterns: readonly (readonly [RegExp, Capability])[] = [
  [/nvfp4/i, 'nvfp4'],
  [/mxfp4/i, 'mxfp4'],
  [/fp8|f8_e[45]m[23]/i, 'fp8'],
  [/awq/i, 'awq'],
  [/gptq/i, 'gptq'],
  [/bitsandbytes|\bbnb\b/i, 'bitsandbytes'],
  [/exl[23]/i, 'exl'],
  [/int8|w8a8|\bi8\b/i, 'int8'],
  [/mlx/i, 'mlx-quantized'],
  [/bf16|bfloat16/i, 'bf16'],
  [/f16|float16/i, 'fp16'],
]

/**
 * Null where the files do not tell, or tell of something that asks nothing of a device, as F32.
 * Names such as `compressed-tensors` and `modelopt` hold several formats, and tell none.
 */
export function capabilityOfWeights({
  format,
  quantization,
}: Pick<ModelFacts, 'format' | 'quantization'>): Capability | null {
  if (format === 'gguf' || format === 'ollama') return 'gguf'
  if (format === 'mlx') return 'mlx-quantized'
  if (format !== 'safetensors' || quantization === null) return null
  return patterns.find(([pattern]) => pattern.test(quantization))?.[1] ?? null
}
