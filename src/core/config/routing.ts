/** `routing:` of motley.yaml: how an endpoint is chosen among those that can answer. */
import { z } from 'zod'
import { milliseconds } from '#core/config/text.ts'

export const strategyNames = ['least-connections', 'round-robin', 'random', 'power-of-two'] as const

export type StrategyName = (typeof strategyNames)[number]

export const routingConfig = z.strictObject({
  strategy: z.enum(strategyNames).default('least-connections'),
  /** How long a recovered endpoint takes to get back to its full weight. */
  slowStartMs: milliseconds.default(10_000),
})

export type RoutingConfig = z.output<typeof routingConfig>
