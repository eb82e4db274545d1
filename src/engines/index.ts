import type { EngineCatalog } from '#core/engine-facts.ts'
import type { Engine } from '#engines/engine.ts'
import { catalogOf } from '#engines/engine-catalog.ts'
import { infinity } from '#engines/infinity.ts'
import { kokoro } from '#engines/kokoro.ts'
import { llamaServer } from '#engines/llama-server.ts'
import { mlxLm } from '#engines/mlx-lm.ts'
import { motleyEmbedded } from '#engines/motley-embedded.ts'
import { ollama } from '#engines/ollama.ts'
import { openai } from '#engines/openai.ts'
import { openvino } from '#engines/openvino.ts'
import { sglang } from '#engines/sglang.ts'
import { speaches } from '#engines/speaches.ts'
import { tei } from '#engines/tei.ts'
import { tensorrtLlm } from '#engines/tensorrt-llm.ts'
import { vllm } from '#engines/vllm.ts'
import { whisperCpp } from '#engines/whisper-cpp.ts'
import { xtts } from '#engines/xtts.ts'

/** In the order in which an unknown endpoint is asked; the one that fits all comes last. */
export const engines: readonly Engine[] = [
  vllm,
  sglang,
  llamaServer,
  ollama,
  motleyEmbedded,
  tensorrtLlm,
  tei,
  infinity,
  whisperCpp,
  mlxLm,
  openvino,
  kokoro,
  xtts,
  speaches,
  openai,
]

/** Fields of a request by which one engine or another holds an answer to a form. */
export const formFields: readonly string[] = [
  ...new Set(engines.flatMap((engine) => engine.formFields ?? [])),
]

/** The engines that Motley can start, for placement. */
export const engineCatalog: EngineCatalog = catalogOf(engines)
