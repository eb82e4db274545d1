/** Sets estimates right by what replicas were measured to take. */
import type { Backend } from '#core/engine-build.ts'
import type { EngineId } from '#core/engine-id.ts'
import type { DeviceMemoryNeed, MemoryNeed, MemoryTerm } from '#placement/fit.ts'
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

/** Beyond this part of it a measurement says that something else was measured. */
const moreMax = 0.3

/** What is counted from the headers, and no habit of an engine can make smaller. */
const counted = new Set<MemoryTerm['name']>(['weights', 'kv-cache', 'projector', 'state'])

/**
 * What was measured on this very setting replaces the estimate. Else as many bytes are added, or
 * taken away, as the engine was off on this backend, best known from the same model: bytes, as what
 * it was off by is its own overhead and not a part of the weights. Other models make nothing more
 * certain. Engines that take a fraction take just that, and are not corrected.
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
    const why = `measured ${timesText(same.length)} as set up here`
    return changed(need, 'measured', why, ({ needBytes }) => needBytes * (taken / estimated - 1))
  }
  const off = (of: readonly MemoryCorrection[]): readonly number[] =>
    of.flatMap(({ takenBytes, estimatedBytes }) =>
      estimatedBytes === null || estimatedBytes <= 0 ? [] : [takenBytes - estimatedBytes],
    )
  const isOfModel = off(ofModel).length > 0
  const known = isOfModel ? off(ofModel) : off(alike)
  if (known.length === 0) return need
  const offBytes = median(known)
  const what = isOfModel ? 'this model in other settings' : 'other models'
  const why = `${what} by this engine: measured ${timesText(known.length)}`
  return changed(need, isOfModel ? 'corrected' : need.confidence, why, (device) =>
    Math.min(moreMax * device.needBytes, Math.max(-uncountedBytes(device), offBytes)),
  )
}

function uncountedBytes({ terms }: DeviceMemoryNeed): number {
  return terms.reduce((sum, { name, bytes }) => (counted.has(name) ? sum : sum + bytes), 0)
}

function changed(
  need: MemoryNeed,
  confidence: MemoryNeed['confidence'],
  why: string,
  byBytes: (device: DeviceMemoryNeed) => number,
): MemoryNeed {
  return {
    ...need,
    confidence,
    devices: need.devices.map((device) => {
      const bytes = Math.round(byBytes(device))
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
