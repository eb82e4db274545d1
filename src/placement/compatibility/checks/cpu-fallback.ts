import { backendsOfVendor } from '#core/engine-build.ts'
import { missingBuild } from '#placement/compatibility/checks/backend.ts'
import { warns } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** A CPU that computes because the engine cannot use what stands beside it. */
export const cpuFallback: Check = {
  name: 'cpu-fallback',
  find({ engine, backend, node }) {
    const built = new Set(engine.supports.map((build) => build.backend))
    if (backend !== 'cpu' || !built.has('cpu') || built.size === 1) return []
    const idle = node.devices.filter(({ vendor, schedulable }) => vendor !== 'cpu' && schedulable)
    const [first] = idle
    const usable = idle.some(({ vendor }) => backendsOfVendor[vendor].some((one) => built.has(one)))
    if (first === undefined || usable) return []
    const what = `it computes on the CPU: ${engine.title} has no build for ${first.name}`
    return [warns(missingBuild(engine.supports), what)]
  },
}
