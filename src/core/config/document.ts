/**
 * The whole of motley.yaml: sections, and what must hold between them. The JSON Schema, the
 * reference page and the messages about wrong files all come from these definitions.
 */
import { z } from 'zod'
import type { Contradiction } from '#core/config/contradiction.ts'
import { controllerConfig } from '#core/config/controller.ts'
import { deploymentContradictions } from '#core/config/deployment-contradictions.ts'
import { deploymentConfig, deploymentName } from '#core/config/deployments.ts'
import { embeddedConfig } from '#core/config/embedded.ts'
import { endpointConfig, endpointName } from '#core/config/endpoints.ts'
import { gatewayConfig } from '#core/config/gateway.ts'
import { modelConfig } from '#core/config/models.ts'
import { nodeConfig } from '#core/config/nodes.ts'
import { routingConfig } from '#core/config/routing.ts'
import { modelText, nameText } from '#core/config/text.ts'
import { asList, asMap } from '#core/config/written.ts'

export const motleyConfig = z
  .strictObject({
    gateway: gatewayConfig
      .prefault({})
      .describe('How clients reach the fleet, and what holds for all of them.'),
    endpoints: z
      .array(endpointConfig)
      .default([])
      .describe('Engines that already run somewhere; engine and models are probed when left out.'),
    models: z.record(modelText, modelConfig).default({}).meta({
      allowed: 'a map of model names to variants, aliases, fallback and timeouts',
      description: 'What clients may ask for, beyond the names that engines report.',
    }),
    deployments: z.record(deploymentName, deploymentConfig).default({}).meta({
      allowed: 'a map of deployment names to what each runs',
      description: 'What should run, how fast it must be, and where it may be.',
    }),
    nodes: z.record(nameText, nodeConfig).default({}).meta({
      allowed: 'a map of node names to taints, labels and devices',
      description: 'What you want to say about machines; what is in them is detected.',
    }),
    routing: routingConfig
      .prefault({})
      .describe('How an endpoint is chosen among those that can answer.'),
    controller: controllerConfig
      .prefault({})
      .describe('How other machines join this one, in `motley up` and `motley controller`.'),
    embedded: embeddedConfig
      .optional()
      .describe('One model file served by the engine that comes with Motley, in `motley up`.'),
  })
  .superRefine((config, context) => {
    for (const { path, message } of contradictions(config)) {
      context.addIssue({ code: 'custom', path: [...path], message, params: contradiction })
    }
  })

export type MotleyConfig = z.output<typeof motleyConfig>

/** Marks an issue whose message is a whole sentence, beside those that only say what is allowed. */
const contradiction = { contradiction: true } as const

/** The endpoint name that the embedded engine takes. */
export const embeddedEndpointName = 'embedded'

/**
 * What each setting alone cannot show: two of a name, a chain that bites its tail, an open door.
 * Takes the document as written, so that a file with a wrong number somewhere still gets all of
 * these said; what has not the expected shape is passed over. `catalog` are the models that need
 * no variants, where somebody knows them.
 */
export function contradictions(
  document: unknown,
  catalog: ReadonlySet<string> | null = null,
): Contradiction[] {
  const { gateway, endpoints, models, embedded, deployments } = asMap(document)
  return [
    ...namesakes(
      asList(endpoints).map((endpoint) => {
        const { name, url } = asMap(endpoint)
        if (typeof url !== 'string') return null
        return typeof name === 'string' ? name : endpointName({ url })
      }),
      (index) => ['endpoints', index],
      { what: 'endpoint', taken: embedded === undefined ? [] : [embeddedEndpointName] },
    ),
    ...namesakes(
      asList(asMap(gateway)['keys']).map((key) => {
        const { name } = asMap(key)
        return typeof name === 'string' ? name : null
      }),
      (index) => ['gateway', 'keys', index, 'name'],
      { what: 'key', taken: [] },
    ),
    ...aliasClashes(asMap(models)),
    ...deploymentContradictions(asMap(deployments), asMap(models), catalog),
    ...openDoor(asMap(gateway)),
  ]
}

/** Whether only this machine can reach the address. `listen` is host:port. */
export function isLoopback(listen: string): boolean {
  const host = listen.slice(0, listen.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function namesakes(
  names: readonly (string | null)[],
  path: (index: number) => (string | number)[],
  words: { what: string; taken: readonly string[] },
): Contradiction[] {
  const found: Contradiction[] = []
  const seen = new Set<string>()
  names.forEach((name, index) => {
    if (name === null) return
    if (words.taken.includes(name)) {
      found.push({
        path: path(index),
        message: `"${name}" is what the engine of the "embedded" section is called; give this ${words.what} another "name"`,
      })
    } else if (seen.has(name)) {
      found.push({
        path: path(index),
        message: `two ${words.what}s are called "${name}"; give one of them another "name"`,
      })
    }
    seen.add(name)
  })
  return found
}

function aliasClashes(models: Readonly<Record<string, unknown>>): Contradiction[] {
  const found: Contradiction[] = []
  const names = new Set(Object.keys(models))
  for (const [name, model] of Object.entries(models)) {
    asList(asMap(model)['aliases']).forEach((alias, index) => {
      if (typeof alias !== 'string') return
      if (names.has(alias)) {
        found.push({
          path: ['models', name, 'aliases', index],
          message: `"${alias}" already names a model; an alias must be a name of its own`,
        })
      }
      names.add(alias)
    })
    asList(asMap(model)['fallback']).forEach((fallback, index) => {
      if (fallback === name) {
        found.push({
          path: ['models', name, 'fallback', index],
          message: `"${name}" cannot be its own fallback`,
        })
      }
    })
  }
  return found
}

function openDoor(gateway: Readonly<Record<string, unknown>>): Contradiction[] {
  const listen = gateway['listen']
  if (typeof listen !== 'string' || isLoopback(listen) || asList(gateway['keys']).length > 0) {
    return []
  }
  return [
    {
      path: ['gateway', 'listen'],
      message: `"${listen}" is open to other machines, so gateway.keys must hold at least one key; or listen on 127.0.0.1`,
    },
  ]
}
