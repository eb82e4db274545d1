import { z } from 'zod'
import type { Engine, EngineAnswer } from '#engines/engine.ts'
import { parseJson } from '#std/parse-json.ts'

const page = z.object({
  error: z.object({ message: z.string(), type: z.literal('unavailable_error') }),
})

/** Whether it is the 503 of llama.cpp, on any page, while a model loads; others use its words. */
export function saysLoading(answer: EngineAnswer): boolean {
  if (answer.status !== 503) return false
  const read = page.safeParse(parseJson(answer.body))
  return read.success && read.data.error.message.startsWith('Loading')
}

/** A health page of llama.cpp's words. */
export function loadingByWords(answer: EngineAnswer): ReturnType<Engine['health']['read']> {
  if (answer.status === 200) return 'ready'
  return saysLoading(answer) ? 'loading' : 'unhealthy'
}
