/**
 * What speaks against starting an engine as its adapter would: a driver that is too old, a program
 * that is not built for the devices, or that is there for something else.
 */
import { tooOldFor } from '#core/build-minimums.ts'
import type { Device, Runtime } from '#core/device.ts'
import { type Backend, isInRange, type OperatingSystem } from '#core/engine-build.ts'
import type { Engine } from '#engines/engine.ts'
import type { ReplicaSpec, ReportedEngine } from '#protocol/agent-messages.ts'

interface Ground {
  readonly spec: Pick<ReplicaSpec, 'kind'>
  readonly os: OperatingSystem
  /** What the programs of engines say of themselves; empty before anybody has asked. */
  readonly installed: readonly ReportedEngine[]
}

/** What the drivers lack of what a build needs; null where that is enough, or unknown. */
export function tooOldText(
  { spec, os, installed }: Ground,
  engine: Engine,
  backend: Backend,
  devices: readonly Device[],
): string | null {
  const here = installed.find((one) => one.engine === engine.id && one.kinds.includes(spec.kind))
  const version = spec.kind === 'native' ? (here?.version ?? null) : null
  const builds = engine.supports.filter(
    (build) =>
      build.backend === backend &&
      build.kinds.includes(spec.kind) &&
      build.os.includes(os) &&
      isInRange(version, build.versions),
  )
  const lacks = builds.map((build) => {
    const found = devices.map((device) => ({ device, tooOld: tooOldFor(build, device, os) }))
    return found.find(({ tooOld }) => tooOld !== null) ?? null
  })
  const [first] = lacks
  if (first == null || first.tooOld === null || lacks.includes(null)) return null
  const { what, needed, found } = first.tooOld
  const name = what === 'driver' ? 'driver' : runtimeTitles[what]
  return `it needs ${name} ${needed}, and ${first.device.name} has ${found}: upgrade the ${what === 'driver' ? 'driver' : `driver, or ${name} where it is apart,`} to ${needed} or newer.`
}

const runtimeTitles: Readonly<Record<Runtime, string>> = {
  cuda: 'CUDA',
  rocm: 'ROCm',
  metal: 'Metal',
  levelZero: 'Level Zero',
  vulkan: 'Vulkan',
}

/** That what starts it is there, as an interpreter is, and the engine is not; null where nobody has looked. */
export function notInItText(
  { installed }: Ground,
  { id, program }: Engine,
  command: string,
): string | null {
  const isByPackage = program?.questions.some((question) => question.command !== null) === true
  const isThere = installed.some((one) => one.engine === id && one.kinds.includes('native'))
  if (!isByPackage || isThere || installed.length === 0) return null
  return `"${command}" is there, and the engine is not in it: install it there, or name the folder of one that has it in MOTLEY_ENGINE_PATH.`
}

/** That the program which is here cannot use the devices; null where it can, or does not tell. */
export function wrongBuildText(
  { installed }: Ground,
  { id }: Engine,
  backend: Backend,
): string | null {
  const here = installed.find((one) => one.engine === id && one.kinds.includes('native'))
  if (here === undefined || here.assumed === true || here.backends.includes(backend)) return null
  return `the one that is installed can use ${here.backends.join(', ')} and no ${backend}: install its build for ${backend}, start it in a container, or see "motley doctor" for its driver.`
}
