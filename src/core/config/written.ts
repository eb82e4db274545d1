/** A document as it was written: what has not the expected shape is taken for empty. */

export function asMap(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {}
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Whether a model is named by where its weights are. */
export function isReference(model: string): boolean {
  return /^(hf|https?|file|node):/.test(model)
}
