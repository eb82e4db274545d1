/** What zod found wrong, in the words of motley.yaml: the key, what was found, what is allowed. */
import type { z } from 'zod'
import { type ConfigPath, pathText } from '#cli/config-error.ts'
import { allowedText, schemaAt } from '#core/config/json-schema.ts'
import { didYouMean } from '#std/closest.ts'
import { valueAt } from '#std/zod-issue.ts'

type Issue = z.core.$ZodIssue

/** Where it is, and what to say about it. */
export interface ConfigIssue {
  readonly path: ConfigPath
  readonly text: string
}

export interface WrittenValues {
  readonly value: unknown
  /** Variables a value was made from: those may be secrets, so the value is not shown. */
  variables(path: ConfigPath): readonly string[]
}

export function configIssues(issues: readonly Issue[], written: WrittenValues): ConfigIssue[] {
  return issues
    .filter((issue) => !isContradiction(issue))
    .flatMap((issue) => issueTexts(issue, issue.path as ConfigPath, written))
}

/** Those are found in the file as it is written, whether or not the rest of it is right. */
function isContradiction(issue: Issue): boolean {
  return issue.code === 'custom' && issue.params?.['contradiction'] === true
}

function issueTexts(issue: Issue, path: ConfigPath, written: WrittenValues): ConfigIssue[] {
  const found = valueAt(written.value, path)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], text: unknownKey(path, key) }))
    case 'invalid_union': {
      const inside = issue.errors.filter((option) => option.every(({ path: at }) => at.length > 0))
      const [only] = inside
      if (only !== undefined && inside.length === 1) {
        return only.flatMap((inner) =>
          issueTexts(inner, [...path, ...(inner.path as ConfigPath)], written),
        )
      }
      break
    }
    case 'invalid_key': {
      const key = path.at(-1)
      const name = pathText(path.slice(0, -1))
      const allowed = schemaAt(path.slice(0, -1))?.propertyNames?.allowed ?? 'other names'
      return [{ path, text: `${name}: found the key ${quoted(key)}, allowed: ${allowed}` }]
    }
    case 'custom':
      if (issue.message !== 'Invalid input') {
        return [{ path, text: `${pathText(path)}: allowed: ${issue.message}` }]
      }
  }
  const allowed = allowedAt(path)
  if (found === undefined) {
    return [{ path, text: `${pathText(path)}: missing, required: ${allowed}` }]
  }
  const name = pathText(path) || 'the whole file'
  const hint = hintFor(path, found)
  return [
    { path, text: `${name}: found ${shown(path, found, written)}, allowed: ${allowed}${hint}` },
  ]
}

/** What was probably meant, or how to write it. */
function hintFor(path: ConfigPath, found: unknown): string {
  const setting = path.join('.')
  if (setting === 'gateway.listen' && /^:?\d{1,5}$/.test(String(found))) {
    return `; write "127.0.0.1:${String(found).replace(':', '')}"`
  }
  if (path[0] === 'deployments' && path.at(-1) === 'replicas' && typeof found === 'number') {
    return `; write { min: ${found}, max: ${Math.max(1, found)} }`
  }
  if (typeof found === 'string') return portHint(found) || didYouMean(found, enumAt(path))
  const isText = schemaAt(path)?.type === 'string' && ['number', 'boolean'].includes(typeof found)
  return isText ? '; put it in quotes' : ''
}

/** A URL whose port is too large is no URL to any parser, and looks like one to everybody else. */
function portHint(found: string): string {
  const [, port] = /^https?:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/.exec(found) ?? []
  return port !== undefined && Number(port) > 65_535 ? `; a port is at most 65535, not ${port}` : ''
}

function unknownKey(path: ConfigPath, key: string): string {
  const whole = pathText([...path, key])
  const known = Object.keys(schemaAt(path)?.properties ?? {})
  const sections = path.length > 0 ? [] : known
  const homes = sections.filter((section) => {
    const properties = schemaAt([section])?.properties
    return properties !== undefined && Object.hasOwn(properties, key)
  })
  const hint =
    homes.length > 0
      ? `; it belongs under ${homes.map((section) => `${section}:`).join(' or ')}`
      : didYouMean(key, known)
  return `${whole}: unknown key, allowed: ${known.join(', ')}${hint}`
}

function allowedAt(path: ConfigPath): string {
  const schema = schemaAt(path)
  return schema === null ? 'nothing' : allowedText(schema)
}

function enumAt(path: ConfigPath): string[] {
  return (schemaAt(path)?.enum ?? []).map(String)
}

/** A found value, short, and without what may be secret. */
function shown(path: ConfigPath, value: unknown, written: WrittenValues): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (value === null) return 'nothing'
  if (typeof value === 'object') return 'a map'
  if (mayBeSecret(path)) return '"…"'
  const variables = written.variables(path)
  if (variables.length > 0) return `the value of ${variables.join(' and ')}`
  return typeof value === 'string' ? quoted(value) : String(value)
}

function mayBeSecret(path: ConfigPath): boolean {
  const last = path.at(-1)
  const inKeys = path[0] === 'gateway' && path[1] === 'keys' && path.length <= 3
  return inKeys || last === 'key' || last === 'keyHash' || last === 'apiKey'
}

function quoted(value: unknown): string {
  const text = String(value).replace(/\/\/[^/@\s]*@/g, '//…@')
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text)
}
