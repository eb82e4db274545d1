import { architectureFit, architecturesFit } from '#core/engine-build.ts'
import { otherBuilds } from '#placement/compatibility/builds.ts'
import {
  blocks,
  either,
  needsSetting,
  ofEach,
  unverified,
  warns,
} from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** Whether the build has code for the devices. */
export const architecture: Check = {
  name: 'architecture',
  find(question, build) {
    if (build === null) return []
    const { engine, backend, devices } = question
    const fit = architecturesFit(
      build.architectures,
      devices.map((device) => device.architecture),
    )
    const limits = ofEach(devices, (device) =>
      (build.exceptions ?? []).flatMap(({ architectures, lacks, worse }) =>
        worse !== undefined &&
        lacks === undefined &&
        device.architecture !== null &&
        architectureFit(architectures, device.architecture).kind === 'runs'
          ? [warns('architecture-limited', `on ${device.architecture} ${worse}`)]
          : [],
      ),
    )
    switch (fit.kind) {
      case 'runs':
        return limits
      case 'unknown': {
        const unknown = devices.find((device) => device.architecture === null)
        return [...limits, unverified(`the architecture of ${unknown?.name} is unknown`)]
      }
      case 'relative': {
        const { variable, value, architecture: other } = fit.relative
        const own = devices[fit.at]?.architecture
        return [
          ...limits,
          needsSetting('architecture-relative', `it has no code for ${own} itself`, {
            set: `${variable}=${value}`,
            why: `${own} runs the code of ${other} with it; try one token first, a wrong one hangs`,
            isRisky: true,
          }),
        ]
      }
      case 'conflict': {
        const [one, other] = fit.values
        const what =
          other === null
            ? `${fit.variable}=${one} would count for ${fit.architecture} as well`
            : `the devices need ${fit.variable} ${one} and ${other} at once`
        return [blocks('relative-conflict', what, 'start one replica on each')]
      }
      case 'none': {
        const own = devices[fit.at]?.architecture
        const others = otherBuilds(question, () => true)
        return [
          blocks(
            'architecture-unsupported',
            `${engine.title} has no ${backend} code for ${own}`,
            either([...others, `devices of ${fit.runs}`]),
          ),
        ]
      }
    }
  },
}
