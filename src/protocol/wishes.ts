/** What `motley apply` sends: deployments, and what people say about nodes. */
import { z } from 'zod'
import { deploymentName } from '#core/config/deployments.ts'
import { modelOffer } from '#core/config/models.ts'
import { modelText, nameText } from '#core/config/text.ts'
import { priorities, taintEffects } from '#core/deployment.ts'
import { backends, weightsFormats } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'
import { kvCacheTypes } from '#core/engine-memory.ts'
import { tasks } from '#core/task.ts'
import { modelFacts } from '#protocol/model-facts.ts'

const positive = z.number().positive().nullable()
const labels = z.record(z.string().max(300), z.string().max(300))
const keyText = z.string().min(1).max(300)
const valueText = z.string().max(63).nullable()

const variant = z.object({
  source: z.string().min(1).max(2_000),
  format: z.enum(weightsFormats),
  engines: z.array(z.enum(engineIds)).max(50).nullable(),
  facts: modelFacts.nullable(),
})

const deployment = z
  .object({
    name: deploymentName,
    task: z.enum(tasks),
    model: modelText.max(100),
    variants: z.array(variant).min(1).max(50),
    replicas: z.object({ min: z.int().min(0).max(1_000), max: z.int().min(1).max(1_000) }),
    sleepAfterMs: z.number().min(1_000),
    contextTokens: z.int().positive().nullable(),
    slots: z.int().positive().max(1_024).nullable(),
    kvCacheTypes: z.array(z.enum(kvCacheTypes)).min(1).max(10).nullable().default(null),
    offload: z.boolean().default(false),
    targets: z.object({
      ttftMs: positive,
      tpotMs: positive,
      tokensPerSecond: positive,
      startMs: positive,
      bestEffort: z.boolean(),
    }),
    constraints: z.object({
      backends: z.array(z.enum(backends)).max(20).nullable(),
      engines: z.array(z.enum(engineIds)).max(50).nullable(),
      nodes: z.array(nameText).max(10_000).nullable(),
      labels,
      minVramBytes: positive,
      tolerations: z
        .array(
          z.object({ key: keyText, value: valueText, effect: z.enum(taintEffects).nullable() }),
        )
        .max(100),
      awayFrom: z.array(deploymentName).max(1_000),
    }),
    priority: z.enum(priorities),
    share: z.boolean(),
  })
  .refine(({ replicas }) => replicas.min <= replicas.max, { error: 'min is above max' })

const statement = z.object({
  taints: z
    .array(z.object({ key: keyText, value: valueText, effect: z.enum(taintEffects) }))
    .max(100),
  labels,
  devices: z.record(
    z.string().max(60),
    z.object({ use: z.boolean().optional(), memory: z.number().positive().optional() }),
  ),
})

export const wishesWanted = z.strictObject({
  deployments: z.array(deployment).max(10_000),
  statements: z.record(nameText, statement),
  /** How the models of these deployments are offered, by their names. */
  models: z.record(modelText.max(100), modelOffer).default({}),
})
