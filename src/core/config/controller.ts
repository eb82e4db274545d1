/** `controller:` of motley.yaml: where other machines join. */
import { z } from 'zod'
import { listenText, milliseconds } from '#core/config/text.ts'

export const controllerConfig = z.strictObject({
  listen: listenText
    .default('127.0.0.1:7071')
    .describe(
      'Where the agents of other machines join, over TLS that both sides prove themselves in. ' +
        'They can only when this is not loopback: 0.0.0.0:7071.',
    ),
  // A small machine reboots in less; and starting a large model elsewhere costs minutes, which a node
  // that returns would have spared.
  replaceAfterMs: milliseconds
    .min(1_000)
    .default(120_000)
    .describe('How long a node is silent before its replicas are placed elsewhere.'),
  reserve: z
    .enum(['none', 'n-1'])
    .default('none')
    .describe('n-1: keeps enough room free that the loss of any one node can be made up for.'),
  enabled: z.boolean().default(true).describe('false: no machine can join this one.'),
})
