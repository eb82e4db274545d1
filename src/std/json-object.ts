import { parseJson } from '#std/parse-json.ts'

/** Reads a JSON object that somebody else wrote; null for anything else, lists included. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> | null {
  return asObject(parseJson(text))
}

/** The value as an object with members; null for anything else, lists included. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : null
}
