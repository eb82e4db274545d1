/**
 * Reads single fields of a JSON request body. Absent and `null` both mean "not given"; anything
 * else that is not what is allowed is a 400 that names the field, what was found and what is allowed.
 */
import { invalidValue } from '#embedded/request-error.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A short form of a value for an error message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

export interface NumberRange {
  readonly min: number
  readonly max: number
  readonly integer?: boolean
}

export function numberField(
  body: JsonObject,
  name: string,
  { min, max, integer = false }: NumberRange,
): number | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  const fits = typeof value === 'number' && value >= min && value <= max
  if (!fits || (integer && !Number.isInteger(value))) {
    const kind = integer ? 'an integer' : 'a number'
    const range = max >= Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
    throw invalidValue(name, `${name} is ${shown(value)}; it must be ${kind} ${range}.`)
  }
  return value
}

export function booleanField(body: JsonObject, name: string): boolean | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') {
    throw invalidValue(name, `${name} is ${shown(value)}; it must be true or false.`)
  }
  return value
}

export function stringField(body: JsonObject, name: string): string | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') {
    throw invalidValue(name, `${name} is ${shown(value)}; it must be a string.`)
  }
  return value
}
