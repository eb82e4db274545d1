import type { Dialect } from '#emulator/dialect.ts'
import { llamaServer } from '#emulator/dialects/llama-server.ts'
import { ollama } from '#emulator/dialects/ollama.ts'
import { openai } from '#emulator/dialects/openai.ts'
import { sglang } from '#emulator/dialects/sglang.ts'
import { vllm } from '#emulator/dialects/vllm.ts'
import type { EmulatedEngine } from '#emulator/emulated-engine.ts'

export const dialects: Readonly<Record<EmulatedEngine, Dialect>> = {
  vllm,
  sglang,
  'llama-server': llamaServer,
  ollama,
  openai,
}
