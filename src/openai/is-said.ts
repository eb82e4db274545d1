/** Whether what stands in a delta or message is a piece of the answer, and not only a name for one. */
export function isSaid(value: unknown): boolean {
  if (typeof value === 'string' || Array.isArray(value)) return value.length > 0
  return typeof value === 'object' && value !== null
}
