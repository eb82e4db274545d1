/** Reading fields of a JSON body whose shape nobody has promised. */
export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function textField(fields: Fields, key: string): string | null {
  const value = fields[key]
  return typeof value === 'string' ? value : null
}

export function numberField(fields: Fields, key: string): number | null {
  const value = fields[key]
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

export function isTrue(fields: Fields, key: string): boolean {
  return fields[key] === true
}

export function isFalse(fields: Fields, key: string): boolean {
  return fields[key] === false
}

export function listField(fields: Fields, key: string): readonly unknown[] {
  const value = fields[key]
  return Array.isArray(value) ? value : []
}

export function fieldsField(fields: Fields, key: string): Fields | null {
  const value = fields[key]
  return isFields(value) ? value : null
}

/** A field that may be one text or a list of texts. */
export function textsField(fields: Fields, key: string): readonly string[] {
  const value = fields[key]
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}
