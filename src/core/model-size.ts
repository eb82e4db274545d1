/**
 * How many parameters a model has, from what it is called: `llama-3.1-8b`, `Qwen3-30B-A3B`,
 * `mixtral-8x7b`, `bge-small-33m`. Null where the name does not say; a count from its weights is
 * better wherever there is one.
 */
export function parameterCountIn(name: string): number | null {
  // Not the version in front of it, as in llama-3.1, nor the active part of a mixture, as in A3B.
  const match = /(?:^|[-_:/ .])(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?=$|[-_:/ .])/i.exec(name)
  if (match === null) return null
  const [, experts, size, unit] = match
  const each = Number(size) * (unit?.toLowerCase() === 'b' ? 1e9 : 1e6)
  return experts === undefined ? each : Number(experts) * each
}
