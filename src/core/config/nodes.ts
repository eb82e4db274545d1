/** `nodes:` of motley.yaml: what people say about machines. What is in them is detected. */
import { z } from 'zod'
import { labelsMap, taintText } from '#core/config/deployments.ts'
import { byteSize } from '#core/config/text.ts'

export const nodeConfig = z.strictObject({
  taints: z
    .array(taintText)
    .default([])
    .describe('Keeps deployments away that do not tolerate them.'),
  labels: labelsMap.meta({
    allowed: 'a map of label names to texts',
    description: 'What deployments may ask for, as room: rack.',
  }),
  devices: z
    .record(
      z
        .string()
        .regex(/^[a-z]+-\d+(\.\d+)?$/)
        .meta({ allowed: 'vendor and number of a device, as amd-0 or nvidia-1' }),
      z.strictObject({
        use: z
          .boolean()
          .optional()
          .describe('Whether replicas may be there. Left out: as it was detected.'),
        memory: byteSize
          .optional()
          .describe('The most that replicas may take of it together. Left out: all that is free.'),
      }),
    )
    .default({})
    .meta({
      allowed: 'a map of devices, as amd-0, to what may be used of each',
      description: 'What may be used of its devices.',
    }),
})
