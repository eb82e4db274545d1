import { z } from 'zod'
import type { EngineAnswer, EngineModel } from '#engines/engine.ts'
import { nullable, positiveInteger } from '#engines/engine-fields.ts'
import { parseJson } from '#std/parse-json.ts'

const list = z.object({ data: z.array(z.unknown()) })
const item = z.object({
  id: z.string().min(1).max(1_000),
  max_model_len: nullable(positiveInteger),
})

/**
 * Reads OpenAI's model list, which most engines speak. `max_model_len` is how vLLM and its
 * relatives say the context length. Returns null when the answer is no such list; an item
 * without a name is left out.
 */
export function readModelList(answer: EngineAnswer): readonly EngineModel[] | null {
  if (answer.status !== 200) return null
  const page = list.safeParse(parseJson(answer.body))
  if (!page.success) return null
  const models = new Map<string, EngineModel>()
  for (const entry of page.data.data) {
    const model = item.safeParse(entry)
    if (!model.success) continue
    const { id, max_model_len } = model.data
    models.set(id, { servedName: id, contextTokens: max_model_len, tasks: null })
  }
  return [...models.values()]
}
