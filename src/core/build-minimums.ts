/** What a build of an engine needs of a device, and what the device lacks of that. Pure. */
import type { Device, Runtime } from '#core/device.ts'
import {
  architectureFit,
  type Minimums,
  type OperatingSystem,
  type Support,
} from '#core/engine-build.ts'
import { isOlderVersion } from '#std/version.ts'

type NeedyDevice = Pick<Device, 'architecture' | 'driverVersion' | 'runtimes'>

/** The minimums of a build, and those of its exceptions that are about this device. */
export function minimumsFor(
  build: Support,
  { architecture }: Pick<Device, 'architecture'>,
): readonly Minimums[] {
  const exceptions = (build.exceptions ?? []).filter(
    (exception) =>
      architecture !== null &&
      architectureFit(exception.architectures, architecture).kind === 'runs',
  )
  return [build.minimums, ...exceptions.flatMap(({ minimums }) => minimums ?? [])]
}

/** The newest driver that a build needs for a device; null for any. */
export function driverFor(
  build: Support,
  device: Pick<Device, 'architecture'>,
  os: OperatingSystem,
): string | null {
  return minimumsFor(build, device)
    .flatMap(({ drivers }) => drivers?.[os] ?? [])
    .reduce<string | null>(
      (most, one) => (most === null || isOlderVersion(most, one) ? one : most),
      null,
    )
}

/** What is too old. */
export interface TooOld {
  readonly what: 'driver' | Runtime
  readonly needed: string
  readonly found: string
}

/** Null where all is new enough, as far as it is known: an unknown fact refuses nothing. */
export function tooOldFor(build: Support, device: NeedyDevice, os: OperatingSystem): TooOld | null {
  const needed = driverFor(build, device, os)
  const { driverVersion } = device
  if (needed !== null && driverVersion !== null) {
    // The driver decides what it runs: levels of a runtime say no more.
    const isOld = isOlderVersion(driverVersion, needed)
    return isOld ? { what: 'driver', needed, found: driverVersion } : null
  }
  const levels = minimumsFor(build, device).flatMap(({ runtimes = {} }) => Object.entries(runtimes))
  for (const [runtime, level] of levels) {
    const found = device.runtimes[runtime as Runtime] ?? null
    if (found !== null && isOlderVersion(found, level)) {
      return { what: runtime as Runtime, needed: level, found }
    }
  }
  return null
}
