/** `routing:` of motley.yaml: how an endpoint is chosen among those that can answer. */
import { z } from 'zod'
import { milliseconds } from '#core/config/text.ts'

export const strategyNames = ['least-connections', 'round-robin', 'random', 'power-of-two'] as const

export type StrategyName = (typeof strategyNames)[number]

export const routingConfig = z.strictObject({
  strategy: z
    .enum(strategyNames)
    .default('least-connections')
    .describe('How one endpoint is picked. All of them respect weights.'),
  slowStartMs: milliseconds
    .default(10_000)
    .describe('How long a recovered endpoint takes to get back to its full weight.'),
})
