/**
 * The configuration as JSON Schema: what editors read, and where messages, environment variables
 * and the reference page look up what a setting takes.
 */
import { z } from 'zod'
import { motleyConfig } from '#core/config/document.ts'

export interface ConfigSchema {
  readonly title?: string
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, ConfigSchema>>
  readonly required?: readonly string[]
  /** What every further key of a map takes; false where there may be none. */
  readonly additionalProperties?: ConfigSchema | boolean
  /** What those keys may be called. */
  readonly propertyNames?: ConfigSchema
  readonly items?: ConfigSchema
  readonly anyOf?: readonly ConfigSchema[]
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly minItems?: number
  /** Completes "allowed: …" where the other fields would say it in a harder way. */
  readonly allowed?: string
}

let cached: ConfigSchema | null = null

/** What can be written in motley.yaml, before defaults are filled in. */
export function configSchema(): ConfigSchema {
  cached ??= z.toJSONSchema(motleyConfig, { io: 'input' }) as ConfigSchema
  return cached
}

/** For editors: the same, with nothing that JSON Schema does not know. */
export function publicSchema(): ConfigSchema {
  return { title: 'motley.yaml', ...plain(configSchema()) }
}

function plain(schema: ConfigSchema): ConfigSchema {
  const { allowed, maximum, properties, propertyNames, items, anyOf, ...more } = schema
  const { additionalProperties, ...rest } = more
  const description = [schema.description, allowed && `Allowed: ${allowed}.`].filter(Boolean)
  return {
    ...rest,
    ...(description.length > 0 && { description: description.join(' ') }),
    // zod writes down where JavaScript stops counting exactly; nobody means that limit.
    ...(maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER && { maximum }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, child]) => [name, plain(child)]),
      ),
    }),
    ...(propertyNames && { propertyNames: plain(propertyNames) }),
    ...(items && { items: plain(items) }),
    ...(anyOf && { anyOf: anyOf.map(plain) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'object'
          ? plain(additionalProperties)
          : additionalProperties,
    }),
  }
}

/** What may stand at a path; null where nothing may. */
export function schemaAt(path: readonly (string | number)[]): ConfigSchema | null {
  let schema: ConfigSchema | null = configSchema()
  for (const step of path) {
    schema = schema === null ? null : childSchema(schema, step)
  }
  return schema
}

function childSchema(schema: ConfigSchema, step: string | number): ConfigSchema | null {
  for (const option of schema.anyOf ?? []) {
    const child = childSchema(option, step)
    if (child !== null) return child
  }
  if (typeof step === 'number') return schema.items ?? null
  const named = Object.hasOwn(schema.properties ?? {}, step) ? schema.properties?.[step] : undefined
  if (named !== undefined) return named
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : null
}

/** What a setting takes, to follow "allowed: ". */
export function allowedText(schema: ConfigSchema): string {
  if (schema.allowed !== undefined) return schema.allowed
  if (schema.anyOf !== undefined) return schema.anyOf.map(allowedText).join(', or ')
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  switch (schema.type) {
    case 'integer':
      return `a whole number${rangeText(schema)}`
    case 'number':
      return `a number${rangeText(schema)}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return schema.items === undefined
        ? 'a list'
        : `a list${(schema.minItems ?? 0) > 0 ? ` of at least ${schema.minItems}` : ''}, each entry ${allowedText(schema.items)}`
    case 'object':
      return schema.properties === undefined
        ? 'a map'
        : `a map of ${Object.keys(schema.properties).join(', ')}`
    default:
      return 'a text'
  }
}

function rangeText(schema: ConfigSchema): string {
  const least =
    schema.minimum ?? (schema.exclusiveMinimum === undefined ? null : schema.exclusiveMinimum + 1)
  const most = schema.maximum === Number.MAX_SAFE_INTEGER ? null : (schema.maximum ?? null)
  if (least !== null && most !== null) return ` from ${least} to ${most}`
  if (least !== null) return ` of at least ${least}`
  return most === null ? '' : ` up to ${most}`
}

/** Paths of all settings that are one value, below a section. */
export function scalarPaths(section: string): string[][] {
  const paths: string[][] = []
  const visit = (schema: ConfigSchema, path: string[]) => {
    if (schema.properties !== undefined) {
      for (const [name, child] of Object.entries(schema.properties)) visit(child, [...path, name])
    } else if (schema.type !== 'array' && schema.type !== 'object') {
      paths.push(path)
    }
  }
  const start = schemaAt([section])
  if (start !== null) visit(start, [section])
  return paths
}
