/** Whether a need is small enough to be promised, by how far it is to be trusted. */
import type { MemoryNeed } from '#placement/fit.ts'

/**
 * The part of what is usable that may be promised. Estimates are within 5 % of every published
 * measurement and promise to be within 10 %; what exceeds a device by then ends in an engine that
 * dies after minutes of loading, while what is left free costs some tokens of context. A correction
 * learnt from the same kind of replica halves the doubt. What was measured on this very setting
 * differs from start to start by less than the margin of the device, which is kept anyhow.
 */
export const acceptedRatio: Readonly<Record<MemoryNeed['confidence'], number>> = {
  estimated: 0.9,
  corrected: 0.95,
  measured: 1,
}

export interface Shortage {
  /** Device id; null for the memory of the machine. */
  readonly device: string | null
  readonly needBytes: number
  readonly usableBytes: number
  /** What may be promised of that. */
  readonly promisableBytes: number
}

/**
 * What is missing, the worst first; empty when all fits. An engine that takes a fraction takes just
 * that, so there the doubt is about the tokens its pool holds.
 */
export function shortagesOf(
  need: MemoryNeed,
  discipline: 'fraction' | 'whole-context' | 'weights-only',
  hostBytes: number,
): readonly Shortage[] {
  const ratio = discipline === 'fraction' ? 1 : acceptedRatio[need.confidence]
  const shortages: Shortage[] = need.devices.map(({ device, needBytes, usableBytes }) => ({
    device,
    needBytes,
    usableBytes,
    promisableBytes: usableBytes * ratio,
  }))
  if (need.hostBytes > 0) {
    const { hostBytes: needBytes } = need
    shortages.push({ device: null, needBytes, usableBytes: hostBytes, promisableBytes: hostBytes })
  }
  return shortages
    .filter(({ needBytes, promisableBytes }) => needBytes > promisableBytes)
    .toSorted((a, b) => b.needBytes / b.promisableBytes - a.needBytes / a.promisableBytes)
}
