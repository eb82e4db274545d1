/** `controller:` of motley.yaml: where other machines join. */
import { z } from 'zod'
import { listenText } from '#core/config/text.ts'

export const controllerConfig = z.strictObject({
  listen: listenText
    .default('127.0.0.1:7071')
    .describe(
      'Where the agents of other machines join, over TLS that both sides prove themselves in. ' +
        'They can only when this is not loopback: 0.0.0.0:7071.',
    ),
  enabled: z.boolean().default(true).describe('false: no machine can join this one.'),
})
