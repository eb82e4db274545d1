/** `routing:` of motley.yaml: how an endpoint is chosen among those that can answer. */
import { z } from 'zod'
import { routingRule } from '#core/config/routing-rules.ts'
import { milliseconds, pathText } from '#core/config/text.ts'

export const strategyNames = [
  'fastest',
  'least-connections',
  'round-robin',
  'random',
  'power-of-two',
  'two-choices',
  'least-busy',
  'prefix',
  'prefix-load',
  'load-scores',
  'kv-cost',
  'scored',
] as const

export const routingConfig = z.strictObject({
  strategy: z
    .enum(strategyNames)
    .default('fastest')
    .describe(
      'How endpoints are chosen. `fastest` goes by predicted time, and takes weights as a guess of speed until it has measured it; `least-connections` shares by weight alone; `least-busy`, `two-choices`, `prefix`, `prefix-load`, `load-scores`, `kv-cost` and `scored` do as other routers do; the others share by weight. Weight 0 takes nothing by any.',
    ),
  slowStartMs: milliseconds
    .default(10_000)
    .describe('How long a recovered endpoint takes to get back to its full weight.'),
  rules: z
    .array(routingRule)
    .default([])
    .describe(
      'Which endpoints may take which requests, and which had better. All that hold count.',
    ),
  script: pathText
    .optional()
    .describe(
      'A JavaScript file with a function route(request, endpoints) that returns those of the ' +
        'endpoints that a request may go to; the strategy picks among them. It runs in a sandbox, ' +
        'within limits. Where it fails, rules alone decide, and the log and `motley why` say so. ' +
        'What it is given, its limits and an example: docs/reference/routing-script.md. ' +
        'A relative path starts at the folder of motley.yaml.',
    ),
})
