/** The rules, and all of them over one node. The order is that of the report within a severity. */
import type { Problem } from '#core/device.ts'
import { containerToolkit } from '#hardware/doctor/container-toolkit.ts'
import { cpuFallback, cpuFeatures } from '#hardware/doctor/cpu-fallback.ts'
import { deviceAccess, deviceFiles } from '#hardware/doctor/device-access.ts'
import { diskSpace } from '#hardware/doctor/disk-space.ts'
import { hsaOverride } from '#hardware/doctor/hsa-override.ts'
import { numaBalancing } from '#hardware/doctor/numa-balancing.ts'
import { nvidiaArchitecture, nvidiaDriver, nvidiaUvm } from '#hardware/doctor/nvidia-driver.ts'
import type { Examined, Rule } from '#hardware/doctor/rule.ts'
import { sharedMemory } from '#hardware/doctor/shared-memory.ts'
import { appleLimit, carveOut, rosetta } from '#hardware/doctor/unified-memory.ts'

const rules: readonly Rule[] = [
  nvidiaDriver,
  nvidiaUvm,
  deviceFiles,
  deviceAccess,
  rosetta,
  cpuFallback,
  hsaOverride,
  containerToolkit,
  numaBalancing,
  sharedMemory,
  carveOut,
  cpuFeatures,
  diskSpace,
  nvidiaArchitecture,
  appleLimit,
]

const severities = ['error', 'warning', 'note'] as const

/** What the probes found wrong, and what follows from what they found; worst first. */
export function diagnose(examined: Examined): Problem[] {
  const problems = [...examined.inventory.problems, ...rules.flatMap((rule) => rule(examined))]
  return severities.flatMap((severity) => problems.filter((one) => one.severity === severity))
}
