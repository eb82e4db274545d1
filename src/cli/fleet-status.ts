import { z } from 'zod'

/** What commands use of GET /admin/v1/endpoints; a newer gateway may say more. */
export const fleetStatus = z.object({
  gateway: z.object({
    version: z.string(),
    uptimeSeconds: z.number(),
    strategy: z.string(),
    inFlight: z.number(),
    queued: z.number(),
    /** Null without one; a gateway of before says nothing of it. */
    routingScript: z
      .object({
        isLeftOut: z.boolean(),
        failures: z.number(),
        lastFailure: z.object({ why: z.string(), agoMs: z.number() }).nullable(),
      })
      .nullable()
      .default(null),
    /** That the file was changed and is not used; a gateway of before says nothing of it. */
    configuration: z
      .object({
        source: z.string(),
        problem: z.string(),
        moreProblems: z.number(),
        agoMs: z.number(),
      })
      .nullable()
      .default(null),
  }),
  endpoints: z.array(
    z.object({
      name: z.string(),
      url: z.string(),
      engine: z.string().nullable(),
      state: z.string(),
      reason: z.string().nullable(),
      models: z.array(z.string()),
      weight: z.number(),
      effectiveWeight: z.number(),
      inFlight: z.number(),
      maxInFlight: z.number().nullable(),
      ttftMs: z.number().nullable(),
      requestsTotal: z.number(),
      errorsTotal: z.number(),
      sinceMs: z.number().nullable(),
      /** What is wrong although it answers; a gateway of before says nothing of it. */
      alarms: z.array(z.string()).default([]),
    }),
  ),
})

export type FleetStatus = z.output<typeof fleetStatus>
