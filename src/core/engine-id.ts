/**
 * The engines that Motley knows by name: what configuration and people may call one. What each of
 * them is stands in `engines/`, and nowhere else.
 */
export const engineIds = [
  'vllm',
  'sglang',
  'llama-server',
  'ollama',
  'motley-embedded',
  'tensorrt-llm',
  'tei',
  'infinity',
  'whisper-cpp',
  'mlx-lm',
  'openvino',
  'kokoro',
  'xtts',
  'speaches',
  'openai',
] as const
export type EngineId = (typeof engineIds)[number]
