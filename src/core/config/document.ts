/**
 * The whole of motley.yaml: sections, and what must hold between them. The JSON Schema, the
 * reference page and the messages about wrong files all come from these definitions.
 */
import { z } from 'zod'
import { endpointConfig, endpointName } from '#core/config/endpoints.ts'
import { gatewayConfig } from '#core/config/gateway.ts'
import { modelConfig } from '#core/config/models.ts'
import { routingConfig } from '#core/config/routing.ts'
import { modelText } from '#core/config/text.ts'

export const motleyConfig = z
  .strictObject({
    gateway: gatewayConfig.prefault({}),
    endpoints: z.array(endpointConfig).default([]),
    models: z.record(modelText, modelConfig).default({}),
    routing: routingConfig.prefault({}),
  })
  .superRefine((config, context) => {
    reportTwice(context, config.endpoints.map(endpointName), (index) => ['endpoints', index], {
      what: 'endpoint',
      mend: 'give one of them another "name"',
    })
    reportTwice(
      context,
      config.gateway.keys.map((key) => key.name),
      (index) => ['gateway', 'keys', index, 'name'],
      { what: 'key', mend: 'give one of them another "name"' },
    )
    const names = new Set(Object.keys(config.models))
    for (const [name, model] of Object.entries(config.models)) {
      model.aliases.forEach((alias, index) => {
        if (names.has(alias)) {
          context.addIssue({
            code: 'custom',
            path: ['models', name, 'aliases', index],
            message: `"${alias}" already names a model; an alias must be a name of its own`,
          })
        }
        names.add(alias)
      })
    }
    for (const [name, model] of Object.entries(config.models)) {
      model.fallback.forEach((fallback, index) => {
        if (fallback === name) {
          context.addIssue({
            code: 'custom',
            path: ['models', name, 'fallback', index],
            message: `"${name}" cannot be its own fallback`,
          })
        }
      })
    }
    const loopback = isLoopback(config.gateway.listen)
    if (!loopback && config.gateway.keys.length === 0) {
      context.addIssue({
        code: 'custom',
        path: ['gateway', 'listen'],
        message: `"${config.gateway.listen}" is open to other machines, so gateway.keys must hold at least one key; or listen on 127.0.0.1`,
      })
    }
  })

export type MotleyConfig = z.output<typeof motleyConfig>

/** Whether only this machine can reach the address. `listen` is host:port. */
export function isLoopback(listen: string): boolean {
  const host = listen.slice(0, listen.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function reportTwice(
  context: z.RefinementCtx,
  names: readonly string[],
  path: (index: number) => (string | number)[],
  words: { what: string; mend: string },
): void {
  const seen = new Set<string>()
  names.forEach((name, index) => {
    if (seen.has(name)) {
      context.addIssue({
        code: 'custom',
        path: path(index),
        message: `two ${words.what}s are called "${name}"; ${words.mend}`,
      })
    }
    seen.add(name)
  })
}
