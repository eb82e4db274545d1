/** How the engine of a replica ended the last time that nobody told it to; it may be ready again. */
import { z } from 'zod'
import { agoText } from '#cli/ago-text.ts'

/** An earlier agent does not tell it. */
export const lastEnd = z
  .object({
    /** By the clock of its node. */
    atMs: z.number(),
    code: z.number().nullable(),
    signal: z.string().nullable(),
    meaning: z.string().nullable(),
  })
  .nullable()
  .default(null)

type LastEnd = NonNullable<z.output<typeof lastEnd>>

interface Past {
  readonly restarts: number
  readonly detail: string | null
  readonly lastEnd: LastEnd | null
}

/** `12 s ago, by SIGKILL: Something killed it; …`; null where it never ended. */
export function lastEndText({ detail, lastEnd: end }: Past, nowMs: number): string | null {
  if (end === null) return null
  const how =
    end.signal !== null
      ? `, by ${end.signal}`
      : end.code === null
        ? ''
        : `, with exit code ${end.code}`
  // Where it is not ready, its reason says what the end means.
  const meaning = detail !== null || end.meaning === null ? '' : `: ${end.meaning}`
  return `${agoText(nowMs - end.atMs)} ago${how}${meaning}`
}

/** What is worth telling of its past, in sentences. */
export function pastOf(reported: Past, nowMs: number): readonly string[] {
  const { restarts } = reported
  const count = restarts === 1 ? 'once' : `${restarts} times`
  const end = lastEndText(reported, nowMs)
  return [
    ...(restarts === 0 ? [] : [`started again ${count} after its engine had ended unasked`]),
    ...(end === null ? [] : [`last end: ${end}`]),
  ]
}
