import { driverFor } from '#core/build-minimums.ts'
import { otherBuilds } from '#placement/compatibility/builds.ts'
import { blocks, either, ofEach, unverified } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'
import { isOlderVersion } from '#std/version.ts'

/** The kernel driver of the devices. */
export const driver: Check = {
  name: 'driver',
  find(question, build) {
    if (build === null) return []
    const { devices, node } = question
    return ofEach(devices, (device) => {
      const needed = driverFor(build, device, node.os)
      if (needed === null) return []
      const { driverVersion, name } = device
      if (driverVersion === null) {
        return [unverified(`it needs driver ${needed}, and that of ${name} is unknown`)]
      }
      if (!isOlderVersion(driverVersion, needed)) return []
      const others = otherBuilds(question, (other) => {
        const least = driverFor(other, device, node.os)
        return least === null || !isOlderVersion(driverVersion, least)
      })
      const unlockedBy = either([`upgrade the driver to ${needed} or newer`, ...others])
      return [
        blocks(
          'driver-too-old',
          `it needs driver ${needed}, and this is ${driverVersion}`,
          unlockedBy,
        ),
      ]
    })
  },
}
