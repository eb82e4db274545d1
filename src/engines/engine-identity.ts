/** Pages by which an engine is known, as several engines have them. */
import type { z } from 'zod'
import type { EngineAnswer, EngineIdentity } from '#engines/engine.ts'
import { parseJson } from '#std/parse-json.ts'

/** It is known, and says nothing else of itself. */
export const bareIdentity: EngineIdentity = { version: null, contextTokens: null, slots: null }

/** A page of this shape is that engine's alone. */
export function identifiedBy(shape: z.ZodType) {
  return (answer: EngineAnswer): EngineIdentity | null =>
    answer.status === 200 && shape.safeParse(parseJson(answer.body)).success ? bareIdentity : null
}

/** The page tells the version as well. */
export function identifiedWithVersion(shape: z.ZodType<{ readonly version: string | null }>) {
  return (answer: EngineAnswer): EngineIdentity | null => {
    if (answer.status !== 200) return null
    const page = shape.safeParse(parseJson(answer.body))
    return page.success ? { ...bareIdentity, version: page.data.version } : null
  }
}
