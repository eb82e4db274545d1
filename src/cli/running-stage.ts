import { z } from 'zod'
import { printable } from '#std/printable.ts'

/** What GET /admin/v1/decisions says a request that is not over is at; a newer gateway may say more. */
export const runningStage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('arriving') }),
  z.object({ kind: z.literal('waiting'), for: z.string(), forMs: z.number() }),
  z.object({
    kind: z.literal('asking'),
    endpoint: z.string().transform(printable),
    attempt: z.number(),
    isRest: z.boolean(),
    sentAfterMs: z.number(),
  }),
])
