/** Sets estimates right by what replicas were measured to take. */
import type { Backend } from '#core/engine-build.ts'
import type { EngineId } from '#core/engine-id.ts'
import type { MemoryNeed } from '#placement/fit.ts'
import type { MemoryCorrection } from '#placement/inventory.ts'
import { quantile } from '#std/quantile.ts'

export interface CorrectedSetting {
  readonly engine: EngineId
  readonly backend: Backend
  readonly model: string
  readonly quantization: string | null
  readonly contextTokens: number
  readonly slots: number
}

/** Beyond this a measurement says that something else was measured, not that an estimate was off. */
const factorMin = 0.8
const factorMax = 1.3

/**
 * What was measured on this very setting replaces the estimate. Else the engine's habit on this
 * backend scales it, best known from the same model. Engines that take a fraction take just that,
 * and are not corrected.
 */
export function correctMemory(
  need: MemoryNeed,
  setting: CorrectedSetting,
  corrections: readonly MemoryCorrection[],
): MemoryNeed {
  const alike = corrections.filter(
    ({ engine, backend }) =>
      engine === setting.engine && (backend === null || backend === setting.backend),
  )
  const ofModel = alike.filter(
    ({ model, quantization }) => model === setting.model && quantization === setting.quantization,
  )
  const same = ofModel.filter(
    ({ contextTokens, slots }) =>
      contextTokens === setting.contextTokens && slots === setting.slots,
  )
  const estimated = Math.max(0, ...need.devices.map(({ needBytes }) => needBytes))
  if (same.length > 0 && estimated > 0) {
    const taken = median(same.map(({ takenBytes }) => takenBytes))
    return scaled(
      need,
      taken / estimated,
      'measured',
      `measured ${timesText(same.length)} as set up here`,
    )
  }
  const ratios = (of: readonly MemoryCorrection[]): readonly number[] =>
    of.flatMap(({ takenBytes, estimatedBytes }) =>
      estimatedBytes === null || estimatedBytes <= 0 ? [] : [takenBytes / estimatedBytes],
    )
  const [known, what] =
    ratios(ofModel).length > 0
      ? [ratios(ofModel), 'this model in other settings']
      : [ratios(alike), 'other models']
  if (known.length === 0) return need
  const factor = Math.min(factorMax, Math.max(factorMin, median(known)))
  const why = `${what} by this engine: measured ${timesText(known.length)}, × ${factor.toFixed(2)}`
  return scaled(need, factor, 'corrected', why)
}

function scaled(
  need: MemoryNeed,
  factor: number,
  confidence: MemoryNeed['confidence'],
  why: string,
): MemoryNeed {
  return {
    ...need,
    confidence,
    devices: need.devices.map((device) => {
      const bytes = Math.round(device.needBytes * (factor - 1))
      if (bytes === 0) return device
      return {
        ...device,
        terms: [...device.terms, { name: 'correction' as const, bytes, why }],
        needBytes: device.needBytes + bytes,
      }
    }),
  }
}

function timesText(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

function median(numbers: readonly number[]): number {
  return (
    quantile(
      numbers.toSorted((a, b) => a - b),
      0.5,
    ) ?? 0
  )
}
