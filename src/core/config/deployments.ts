/** `deployments:` of motley.yaml: what should run, how fast it must be, and where it may be. */
import { z } from 'zod'
import { byteSize, contextTokens, milliseconds, modelText, nameText } from '#core/config/text.ts'
import { priorities, type TaintEffect, type Toleration, taintEffects } from '#core/deployment.ts'
import { backends } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'
import { kvCacheTypes } from '#core/engine-memory.ts'
import { tasks } from '#core/task.ts'

const effects = taintEffects.join('|')

/** The key of a taint or label: as in Kubernetes, a domain may stand before it. */
const keyForm = '[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?'
const valueForm = '[A-Za-z0-9._-]{0,63}'

const tolerationForm = new RegExp(`^(${keyForm})(?:=(${valueForm}))?(?::(${effects}))?$`)
const taintForm = new RegExp(`^(${keyForm})(?:=(${valueForm}))?:(${effects})$`)

const tolerationText = z
  .string()
  .regex(tolerationForm)
  .transform((text): Toleration => {
    const [, key = '', value = null, effect = null] = tolerationForm.exec(text) ?? []
    return { key, value, effect: effect as TaintEffect | null }
  })
  .meta({
    allowed: `key, key=value or key=value:effect, the effect one of ${taintEffects.join(', ')}`,
  })

export const taintText = z
  .string()
  .regex(taintForm)
  .transform((text) => {
    const [, key = '', value = null, effect] = taintForm.exec(text) ?? []
    return { key, value, effect: effect as TaintEffect }
  })
  .meta({
    allowed: `key=value:effect, the effect one of ${taintEffects.join(', ')}, as dedicated=vllm:NoSchedule`,
  })

export const labelsMap = z.record(z.string(), z.string()).default({})

/**
 * What a model that sleeps costs its next user is half a minute to some minutes of loading; what
 * one costs that is kept is memory that nobody else has. A quarter of an hour is longer than most
 * pauses in a conversation.
 */
const sleepAfterMsUsual = 15 * 60_000

/** Part of the names of replicas, which are part of those of files, containers and labels. */
export const deploymentName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$/)
  .meta({ allowed: 'a name of a-z, 0-9 and "-", at most 48 characters' })

export const deploymentConfig = z.strictObject({
  model: modelText.describe(
    'What clients ask for: a model of "models" with variants, one that the catalogue knows, or a reference as hf:owner/repo.',
  ),
  task: z.enum(tasks).default('chat').describe('What its replicas are asked to do.'),
  replicas: z
    .strictObject({
      min: z
        .int()
        .min(0)
        .max(1_000)
        .default(1)
        .describe('How many there are at least; 0: it may sleep, and a request wakes it.'),
      max: z
        .int()
        .min(1)
        .max(1_000)
        .optional()
        .describe('How many there are under load. Left out: as many as min, and at least one.'),
    })
    .prefault({})
    .describe('How many of it there are.'),
  sleepAfterMs: milliseconds
    .min(1_000)
    .default(sleepAfterMsUsual)
    .describe('With min 0: how long nobody asks before it sleeps.'),
  targets: z
    .strictObject({
      ttftMs: z.number().positive().optional().describe('Milliseconds to the first token.'),
      tpotMs: z.number().positive().optional().describe('Milliseconds for each token after it.'),
      tokensPerSecond: z
        .number()
        .positive()
        .optional()
        .describe('Tokens a second that all replicas write together.'),
      startMs: z
        .number()
        .positive()
        .optional()
        .describe('Milliseconds from the wish to the first answer, downloads included.'),
      bestEffort: z
        .boolean()
        .default(false)
        .describe('true: a place that misses a target is better than none.'),
    })
    .prefault({})
    .describe('What it is for. Placement serves these, and says where it cannot.'),
  constraints: z
    .strictObject({
      backends: z.array(z.enum(backends)).min(1).optional().describe('Left out: any.'),
      engines: z.array(z.enum(engineIds)).min(1).optional().describe('Left out: any that can.'),
      minVram: byteSize.optional().describe('The least memory of each of its devices.'),
      nodes: z.array(nameText).min(1).optional().describe('Names of nodes. Left out: any.'),
      labels: labelsMap.meta({
        allowed: 'a map of label names to texts',
        description: 'Labels that a node must have.',
      }),
      tolerations: z
        .array(tolerationText)
        .default([])
        .describe('Taints of nodes that do not keep it away.'),
      awayFrom: z
        .array(deploymentName)
        .default([])
        .describe('Deployments that must not be on the same node; its own name spreads it.'),
    })
    .prefault({})
    .describe('Where it may be.'),
  priority: z
    .enum(priorities)
    .default('normal')
    .describe(
      'Who gives way where not all have room, and whose requests wait longer for an endpoint of both.',
    ),
  share: z
    .boolean()
    .default(false)
    .describe('Whether other deployments that share may be on the same device.'),
  context: contextTokens
    .optional()
    .describe(
      'Longest prompt plus answer, in tokens. Left out: what the model was made for, or less.',
    ),
  slots: z
    .int()
    .min(1)
    .max(1_024)
    .optional()
    .describe('Requests at a time of each replica. Left out: what the engine usually has.'),
  kvCacheTypes: z
    .array(z.enum(kvCacheTypes))
    .min(1)
    .optional()
    .describe(
      'Numbers that keys and values may be kept in, the one to prefer first, as [f16, fp8, q8_0]: what comes later is taken where nothing before it fits. Left out: f16 alone.',
    ),
  offload: z
    .boolean()
    .default(false)
    .describe(
      'true: layers that do not fit on any device may be left to the CPU, which makes answers many times slower.',
    ),
})

export type DeploymentConfig = z.output<typeof deploymentConfig>
