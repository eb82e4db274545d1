import { type LinearTime, type StepTimeParameters, stepTimeOf } from '#batching/step-time.ts'

/** A line below what a step with so many tokens costs, attention apart. */
export interface CostLine {
  readonly fixedMs: number
  readonly msPerToken: number
}

/** Lines none of which is ever above the cost of a step, and which touch it where it is convex. */
export function costLines(stepTime: StepTimeParameters, batchTokens: number): CostLine[] {
  const { overheadMs, headMs } = stepTime
  return linearLines(stepTime.linear, batchTokens).map(({ fixedMs, msPerToken }) => ({
    fixedMs: fixedMs + overheadMs + headMs,
    msPerToken,
  }))
}

/** The time to read one prompt on an engine that does nothing else. */
export function barePrefillMs(
  stepTime: StepTimeParameters,
  batchTokens: number,
  promptTokens: number,
): number {
  const time = stepTimeOf(stepTime)
  let ms = 0
  for (let read = 0; read < promptTokens; read += batchTokens) {
    const tokens = Math.min(batchTokens, promptTokens - read)
    ms += time({
      decodes: 0,
      decodeContextTokens: 0,
      prefillTokens: tokens,
      prefillTokenPairs: tokens * (read + tokens / 2),
    })
  }
  return ms
}

function linearLines(linear: LinearTime, batchTokens: number): CostLine[] {
  switch (linear.kind) {
    case 'table':
      return hullLines(linear.points, batchTokens)
    case 'soft-max':
      return softMaxLines(linear, batchTokens)
    case 'rates':
      // What decodes and what is read have prices of their own: nothing holds for both but this.
      return [{ fixedMs: 0, msPerToken: 0 }]
  }
}

/** The lower hull of a table: its knees that bend the wrong way are bridged from below. */
function hullLines(
  points: readonly (readonly [number, number])[],
  batchTokens: number,
): CostLine[] {
  const hull: (readonly [number, number])[] = []
  for (const point of points) {
    if (point[0] > batchTokens && hull.length > 1) break
    while (hull.length > 1 && slope(hull.at(-2)!, point) <= slope(hull.at(-2)!, hull.at(-1)!)) {
      hull.pop()
    }
    hull.push(point)
  }
  const lines: CostLine[] = []
  for (let at = 0; at + 1 < hull.length; at += 1) {
    const msPerToken = Math.max(0, slope(hull[at]!, hull[at + 1]!))
    lines.push({ msPerToken, fixedMs: hull[at]![1] - msPerToken * hull[at]![0] })
  }
  return lines
}

const slope = (a: readonly [number, number], b: readonly [number, number]) =>
  (b[1] - a[1]) / (b[0] - a[0])

/** Tangents of the soft maximum, which is convex, so that they lie below it. */
function softMaxLines(
  linear: Extract<LinearTime, { kind: 'soft-max' }>,
  batchTokens: number,
): CostLine[] {
  const { weightsMs, baseMs, msPerToken } = linear
  const lines: CostLine[] = []
  for (let tokens = 1; tokens < 2 * batchTokens; tokens *= 1.5) {
    const compute = baseMs + msPerToken * tokens
    const sum = weightsMs ** 6 + compute ** 6
    const slopeHere = sum ** (1 / 6 - 1) * compute ** 5 * msPerToken
    lines.push({ msPerToken: slopeHere, fixedMs: sum ** (1 / 6) - slopeHere * tokens })
  }
  return lines
}
