/**
 * How long one step of an engine takes, as numbers. An engine computes in steps: each running
 * answer gets one token, and a chunk of waiting prompts is computed along with them.
 *
 *   step = fixed + linear(tokens in the step) + decodeContext × contexts of the answers
 *        + prefillPair × pairs of prompt tokens that attend to each other
 */
export interface StepSpeed {
  /** Whatever is in the step. */
  readonly fixedMs: number
  /** Points of (tokens in the step, milliseconds), rising; straight lines between and beyond. */
  readonly linearMs: readonly (readonly [tokens: number, ms: number])[]
  /** For each token of context of each answer. */
  readonly decodeMsPerContextToken: number
  /** For each pair of a prompt token and a token that it attends to. */
  readonly prefillMsPerTokenPair: number
}

export function sameSpeed(one: StepSpeed, other: StepSpeed): boolean {
  return (
    one === other ||
    (one.fixedMs === other.fixedMs &&
      one.decodeMsPerContextToken === other.decodeMsPerContextToken &&
      one.prefillMsPerTokenPair === other.prefillMsPerTokenPair &&
      one.linearMs.join(' ') === other.linearMs.join(' '))
  )
}

/**
 * The linear part for every whole number of tokens, shared by all endpoints of the same speed: a
 * hundred tables would not stay in a processor's cache, and each decision reads all over them.
 */
const tables = new Map<string, Float64Array>()
/** Speeds of devices are few; measured ones differ from endpoint to endpoint. */
const tablesMax = 256

export function linearTable(speed: StepSpeed): Float64Array {
  const key = speed.linearMs.join(' ')
  const known = tables.get(key)
  if (known !== undefined) return known
  const table = newTable(speed.linearMs)
  if (tables.size >= tablesMax) tables.clear()
  tables.set(key, table)
  return table
}

function newTable(points: StepSpeed['linearMs']): Float64Array {
  const last = points.at(-1)
  if (last === undefined) throw new Error('a speed has at least one point')
  const table = new Float64Array(last[0] + 1)
  let next = 0
  for (let tokens = 0; tokens < table.length; tokens++) {
    while ((points[next] as readonly [number, number])[0] < tokens) next++
    table[tokens] = between(points[next - 1], points[next] as readonly [number, number], tokens)
  }
  return table
}

function between(
  left: readonly [number, number] | undefined,
  right: readonly [number, number],
  tokens: number,
): number {
  if (left === undefined) return right[1]
  return left[1] + ((tokens - left[0]) / (right[0] - left[0])) * (right[1] - left[1])
}

/** The linear part for any number of tokens; beyond the table it goes on as it ended. */
export function linearMs(table: Float64Array, tokens: number): number {
  const end = table.length - 1
  if (tokens >= end) {
    const lastMs = table[end] as number
    const before = end >> 1
    const slope = end === 0 ? 0 : (lastMs - (table[before] as number)) / (end - before)
    return lastMs + (tokens - end) * slope
  }
  const floor = Math.floor(tokens)
  const ms = table[floor] as number
  return tokens === floor ? ms : ms + (tokens - floor) * ((table[floor + 1] as number) - ms)
}
