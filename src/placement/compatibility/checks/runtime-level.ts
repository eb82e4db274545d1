import { minimumsFor } from '#core/build-minimums.ts'
import type { Device, Runtime } from '#core/device.ts'
import type { Minimums } from '#core/engine-build.ts'
import { otherBuilds } from '#placement/compatibility/builds.ts'
import { blocks, either, ofEach, unverified } from '#placement/compatibility/finding.ts'
import type { Check, CompatibilityQuestion, Found } from '#placement/compatibility/question.ts'
import { isOlderVersion } from '#std/version.ts'

/** What the drivers and the system offer of what the build is made for. */
export const runtimeLevel: Check = {
  name: 'runtime-level',
  find(question, build) {
    if (build === null) return []
    const perDevice = ofEach(question.devices, (device) =>
      minimumsFor(build, device).flatMap((minimums) => levels(question, device, minimums)),
    )
    return [...perDevice, ...systemLevel(question, build.minimums)]
  },
}

function levels(
  question: CompatibilityQuestion,
  device: Device,
  { drivers, runtimes = {} }: Minimums,
): readonly Found[] {
  // The driver decides what it runs: where its version is known, that has been checked.
  if (drivers !== undefined && device.driverVersion !== null) return []
  return Object.entries(runtimes).flatMap(([runtime, needed]) => {
    const level = device.runtimes[runtime as Runtime] ?? null
    if (level === null) {
      return [unverified(`it needs ${runtime} ${needed}, and that of ${device.name} is unknown`)]
    }
    if (!isOlderVersion(level, needed)) return []
    const others = otherBuilds(question, ({ minimums }) => {
      const other = minimums.runtimes?.[runtime as Runtime]
      return other === undefined || !isOlderVersion(level, other)
    })
    return [
      blocks(
        'runtime-mismatch',
        `it needs ${runtime} ${needed}, and this is ${level}`,
        either([`upgrade ${runtime} to ${needed} or newer`, ...others]),
      ),
    ]
  })
}

function systemLevel({ node }: CompatibilityQuestion, { macos }: Minimums): readonly Found[] {
  if (macos === undefined || node.os !== 'macos') return []
  if (node.osVersion === null) {
    return [unverified(`it needs macOS ${macos}, and this version is unknown`)]
  }
  if (!isOlderVersion(node.osVersion, macos)) return []
  const what = `it needs macOS ${macos}, and this is ${node.osVersion}`
  return [blocks('runtime-mismatch', what, `upgrade macOS to ${macos} or newer`)]
}
