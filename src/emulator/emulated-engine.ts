/** The engines whose dialect the emulator speaks. */
export const emulatedEngines = ['vllm', 'sglang', 'llama-server', 'ollama', 'openai'] as const
export type EmulatedEngine = (typeof emulatedEngines)[number]
