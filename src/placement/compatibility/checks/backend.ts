import { assumptionCodes, type FindingCode } from '#core/compatibility.ts'
import type { Support } from '#core/engine-build.ts'
import { asWords, backendsOf } from '#placement/compatibility/builds.ts'
import { blocks, either } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** Whether there is a build for what the devices speak, started in this way. */
export const backend: Check = {
  name: 'backend',
  find({ engine, backend: wanted, kind, node, devices }) {
    const builds = engine.supports.filter((build) => build.backend === wanted)
    const known = [...new Set(engine.supports.map((build) => build.backend))]
    if (builds.length === 0) {
      const reachable = backendsOf(devices)
      const others = known.filter((one) => reachable.includes(one))
      const what = `${engine.title} has builds for ${known.join(', ')}, and none for ${wanted}`
      const unlockedBy =
        others.length > 0
          ? `take its build for ${either(others)}`
          : `devices for ${either(known)}, or an engine with a build for ${wanted}`
      return [blocks(missingBuild(engine.supports), what, unlockedBy)]
    }
    const here = builds.filter(({ os }) => os.includes(node.os))
    if (here.length === 0 || here.some(({ kinds }) => kinds.includes(kind))) return []
    const kinds = here.flatMap((build) => build.kinds)
    const what = `${engine.title} for ${wanted} cannot be started as ${asWords[kind]}`
    const unlockedBy = `start it as ${either(kinds.map((one) => asWords[one]))}`
    return [blocks('backend-missing', what, unlockedBy)]
  },
}

/** An engine made for one kind of device alone is placed elsewhere by those who forgot that it is. */
export function missingBuild(supports: readonly Support[]): FindingCode {
  const forDevices = new Set(supports.map((build) => build.backend).filter((one) => one !== 'cpu'))
  const [only, ...others] = forDevices
  if (only === undefined || others.length > 0) return 'backend-missing'
  return assumptionCodes[only] ?? 'backend-missing'
}
