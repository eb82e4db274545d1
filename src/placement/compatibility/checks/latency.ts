import type { Device } from '#core/device.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import { blocks, warns } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

const code = 'latency-on-throughput'

/** Answers that have to come fast, on what is made for many at once. */
export const latency: Check = {
  name: 'latency',
  find({ engine, backend, devices, model, targets }, build) {
    const tpotMs = targets?.tpotMs ?? null
    if (tpotMs === null) return []
    const tuned =
      build?.tunedFor === 'throughput'
        ? [
            warns(
              code,
              `${engine.title} on ${backend} is made for many answers at once, not for fast ones`,
            ),
          ]
        : []
    const together = engine.spread === 'tensor-parallel'
    const leastMs = model === null ? null : leastTokenMs(model, devices, together)
    if (leastMs === null || leastMs <= tpotMs) return tuned
    const find = targets?.bestEffort === true ? warns : blocks
    const what = `a token takes ${leastMs.toFixed(0)} ms at the least to read the weights, and ${tpotMs} ms is wanted`
    const advice = 'take devices with more memory bandwidth, or fewer bits per weight'
    return [...tuned, { ...find(code, what, advice), excess: leastMs / tpotMs }]
  },
}

/** No device decodes faster than it reads the weights that a token needs. */
function leastTokenMs(
  model: ModelFacts,
  devices: readonly Device[],
  together: boolean,
): number | null {
  const rates = devices.map((device) => device.memoryBandwidthBytesPerSecond)
  const known = rates.flatMap((rate) => rate ?? [])
  if (known.length === 0 || known.length < rates.length) return null
  const best = Math.max(...known)
  return (bytesPerToken(model) / (together ? best * known.length : best)) * 1_000
}

function bytesPerToken({ tensorBytesByPart, experts }: ModelFacts): number {
  const sum = (bytes: readonly number[]): number => bytes.reduce((one, other) => one + other, 0)
  const { byLayer, expertsByLayer, output } = tensorBytesByPart
  const idle = experts === null ? 0 : 1 - experts.usedPerToken / experts.count
  return sum(byLayer) - sum(expertsByLayer) * idle + output
}
