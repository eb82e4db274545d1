import { minimumsFor } from '#core/build-minimums.ts'
import type { Device } from '#core/device.ts'
import { architectureFit, type Support } from '#core/engine-build.ts'
import { blocks, ofEach, unverified, warns } from '#placement/compatibility/finding.ts'
import type { Check, Found } from '#placement/compatibility/question.ts'

/** Instruction sets of a CPU that computes. */
export const cpuFeatures: Check = {
  name: 'cpu-features',
  find({ engine, devices }, build) {
    if (build?.backend !== 'cpu') return []
    return ofEach(devices, (device) => {
      const needed = minimumsFor(build, device).flatMap((minimums) => minimums.cpuFeatures ?? [])
      // Every CPU has some: without any, nobody has looked.
      if (device.features.length === 0) {
        return needed.map((one) =>
          unverified(`it needs ${one}, and nobody knows if the CPU has it`),
        )
      }
      const missing = needed.filter((one) => !device.features.includes(one))
      if (missing.length === 0) return limits(build, device)
      const what = `${engine.title} needs ${missing.join(', ')}, which ${device.name} lacks`
      return [blocks('cpu-feature-missing', what, `take a CPU with ${missing.join(', ')}`)]
    })
  },
}

function limits(build: Support, { architecture, features }: Device): readonly Found[] {
  return (build.exceptions ?? []).flatMap(({ architectures, lacks, worse }) =>
    lacks !== undefined &&
    worse !== undefined &&
    !features.includes(lacks) &&
    architecture !== null &&
    architectureFit(architectures, architecture).kind === 'runs'
      ? [warns('architecture-limited', worse)]
      : [],
  )
}
