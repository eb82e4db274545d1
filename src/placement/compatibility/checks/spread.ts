import type { Device } from '#core/device.ts'
import { memoryText } from '#core/memory-text.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import { blocks, warns } from '#placement/compatibility/finding.ts'
import type { Check, Found } from '#placement/compatibility/question.ts'

const each = 'start one replica on each'

/** Whether these devices can serve one replica together. */
export const spread: Check = {
  name: 'spread',
  find({ engine, devices, model }) {
    if (devices.length < 2) return []
    const vendors = [...new Set(devices.map(({ vendor }) => vendor))]
    if (vendors.length > 1) {
      const what = `one replica cannot be spread over devices of ${vendors.join(' and ')}`
      return [blocks('vendors-mixed', what, 'start one replica for each vendor')]
    }
    if (engine.spread === 'single') {
      const what = `${engine.title} uses one device, and not ${devices.length}`
      return [blocks('single-device', what, each)]
    }
    if (devices.some(({ parent }) => parent !== null)) {
      const what = 'a process sees one slice of a divided device, and not several'
      return [blocks('slices-apart', what, `${each} slice`)]
    }
    if (engine.spread === 'layers') return []
    return [...alike(devices), ...heads(devices.length, model)]
  },
}

/** Each layer waits for the slowest device, and each device holds as much as the others. */
function alike(devices: readonly Device[]): readonly Found[] {
  const kinds = [...new Set(devices.flatMap(({ architecture }) => architecture ?? []))]
  if (kinds.length > 1) {
    const what = `tensor parallelism needs devices that are alike, and these are ${kinds.join(', ')}`
    return [blocks('devices-differ', what, each)]
  }
  const sizes = devices.flatMap(({ memoryBytes }) => memoryBytes ?? [])
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)]
  // Two of a kind differ by a few MiB that firmware keeps.
  if (sizes.length < 2 || least > most * 0.95) return []
  const what = `each device takes the same share, so no more than the smallest has: ${memoryText(least)} of ${memoryText(most)}`
  return [warns('devices-differ', what)]
}

function heads(count: number, model: ModelFacts | null): readonly Found[] {
  const { headCount = null, kvHeadCount = null } = model ?? {}
  if (headCount === null || splits(count, headCount, kvHeadCount)) return []
  const fewer = Array.from({ length: count - 1 }, (_, at) => count - 1 - at).find((one) =>
    splits(one, headCount, kvHeadCount),
  )
  const kv =
    kvHeadCount === null || kvHeadCount === headCount ? '' : ` (${kvHeadCount} of keys and values)`
  const what = `its ${headCount} heads${kv} cannot be divided among ${count} devices`
  return [blocks('heads-do-not-divide', what, `take ${fewer ?? 1} of them`)]
}

/** Heads of keys and values are divided, or each is held by several devices. */
function splits(count: number, headCount: number, kvHeadCount: number | null): boolean {
  if (headCount % count !== 0) return false
  return kvHeadCount === null || kvHeadCount % count === 0 || count % kvHeadCount === 0
}
