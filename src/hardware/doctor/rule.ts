/**
 * A rule looks at one concern of a node and tells what is wrong, why it matters and what mends it.
 * It only speaks of what was seen: a recording that does not hold a fact accuses nobody.
 */
import type { Device, Problem } from '#core/device.ts'
import type { DriverLevels } from '#core/driver-levels.ts'
import type { Inventory } from '#hardware/detect.ts'
import type { System } from '#hardware/probe.ts'

export interface Examined {
  readonly system: System
  readonly inventory: Inventory
  readonly checkup: Checkup
  readonly levels: DriverLevels
}

/** What only doctor asks of a node. Null where nothing tells. */
export interface Checkup {
  readonly userId: number | null
  /** Groups of the user that Motley runs as. */
  readonly groups: readonly string[] | null
  /** Whether /dev/kfd is there; null where /dev was not looked at. */
  readonly hasKfd: boolean | null
  readonly hasRenderNode: boolean | null
  readonly hasNvidiaUvm: boolean | null
  readonly docker: Docker | null
  readonly containerToolkit: boolean | null
  /** HSA_OVERRIDE_GFX_VERSION, as engines would inherit it; null when it is not set. */
  readonly hsaOverride: string | null
  readonly disk: Disk | null
  readonly sharedMemoryBytes: number | null
  /** This process runs under Rosetta: an x64 Node on Apple silicon. */
  readonly isTranslated: boolean | null
}

export interface Docker {
  /** Names of its runtimes; null when it does not let this user ask. */
  readonly runtimes: readonly string[] | null
}

export interface Disk {
  /** The folder that was asked for. */
  readonly path: string
  readonly freeBytes: number
}

export type Rule = (examined: Examined) => readonly Problem[]

/** GPUs of a vendor, without the instances they are cut into. */
export function gpusOf({ inventory }: Examined, ...vendors: readonly Device['vendor'][]): Device[] {
  return inventory.devices.filter(
    ({ vendor, parent }) => vendors.includes(vendor) && parent === null,
  )
}

/** "GPU 0 (NVIDIA L40S)", "GPU 0 and 1 (AMD Radeon RX 7800 XT)", or names only. */
export function naming(gpus: readonly Device[]): string {
  const names = [...new Set(gpus.map(({ name }) => name))]
  const indexes = gpus.flatMap(({ index }) => index ?? [])
  if (indexes.length !== gpus.length || names.length > 1) return names.join(' and ')
  const last = indexes.at(-1)
  const list = indexes.length > 1 ? `${indexes.slice(0, -1).join(', ')} and ${last}` : `${last}`
  return `GPU ${list} (${names[0]})`
}

export function isOrAre(gpus: readonly Device[]): string {
  return gpus.length === 1 ? 'is' : 'are'
}
