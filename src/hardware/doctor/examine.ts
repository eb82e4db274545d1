/** One look at a node: its devices, what doctor asks besides, and what is wrong. */
import type { Problem } from '#core/device.ts'
import type { DriverLevels } from '#core/driver-levels.ts'
import { detect, type Inventory } from '#hardware/detect.ts'
import { checkupProbe, readCheckup } from '#hardware/doctor/checkup.ts'
import { diagnose } from '#hardware/doctor/index.ts'
import type { Machine, Probe } from '#hardware/probe.ts'
import type { Clock } from '#std/clock.ts'

export async function examine(
  probes: readonly Probe[],
  machine: Machine,
  options: {
    readonly clock: Clock
    readonly dataDirectory: string
    readonly levels: DriverLevels
    readonly limitMs?: number
  },
): Promise<{ readonly inventory: Inventory; readonly problems: readonly Problem[] }> {
  const asked = checkupProbe(options.dataDirectory)
  const { inventory, captured } = await detect([...probes, asked], machine, options)
  const answers = captured.get(asked)
  if (answers === undefined) return { inventory, problems: inventory.problems }
  const checkup = readCheckup(answers)
  const { levels } = options
  return { inventory, problems: diagnose({ system: machine.system, inventory, checkup, levels }) }
}
