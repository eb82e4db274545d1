/** How little of a model has to be left to the CPU for the rest to fit on the devices. */
import type { Offload } from '#core/engine-memory.ts'
import type { FitQuestion } from '#placement/fit.ts'
import { doesFit, type FitTrial } from '#placement/fit-trial.ts'

/**
 * Experts first, where the engine can leave them alone: a token needs few of them, and attention,
 * which it needs whole, stays on the device. Null where leaving something does not help.
 */
export function leastOffload(
  { engine, backend, variant, limits }: FitQuestion,
  tryWith: (offload: Offload) => FitTrial | null,
): FitTrial | null {
  const { memory } = engine
  const { facts } = variant
  if (facts === null || backend === 'cpu') return null
  if (memory.kind !== 'whole-context' || memory.offloads === 'nothing') return null
  const { layerCount } = facts
  const leaving = (layersOnHost: number, expertLayersOnHost: number) =>
    tryWith({ layerCount, layersOnHost, expertLayersOnHost })
  const least = Math.max(1, limits.hostLayersMin ?? 1)
  const ways: ((count: number) => FitTrial | null)[] = []
  if (facts.experts !== null && memory.offloads === 'layers-and-experts') {
    ways.push((count) => leaving(0, count))
  }
  // At least one stays on the device: without any it is a replica of the CPU.
  ways.push((count) => (count < layerCount ? leaving(count, 0) : null))
  for (const way of ways) {
    const onDevices = largest(0, layerCount - least, (count) => doesFit(way(layerCount - count)))
    if (onDevices !== null) return way(layerCount - onDevices)
  }
  return null
}

/** The largest whole number from `low` to `high` for which it holds; it holds for all below it. */
export function largest(
  low: number,
  high: number,
  holds: (count: number) => boolean,
): number | null {
  if (high < low) return null
  let yes = low - 1
  let no = high + 1
  while (yes + 1 < no) {
    const middle = Math.floor((yes + no) / 2)
    if (holds(middle)) yes = middle
    else no = middle
  }
  return yes < low ? null : yes
}
