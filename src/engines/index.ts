import type { Engine } from '#engines/engine.ts'
import { llamaServer } from '#engines/llama-server.ts'
import { motleyEmbedded } from '#engines/motley-embedded.ts'
import { ollama } from '#engines/ollama.ts'
import { openai } from '#engines/openai.ts'
import { sglang } from '#engines/sglang.ts'
import { vllm } from '#engines/vllm.ts'

/** In the order in which an unknown endpoint is asked; the one that fits all comes last. */
export const engines: readonly Engine[] = [
  vllm,
  sglang,
  llamaServer,
  ollama,
  motleyEmbedded,
  openai,
]
