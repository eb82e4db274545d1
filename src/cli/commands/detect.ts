import type { Command } from 'commander'
import { detectText } from '#cli/detect-text.ts'
import { endProbesOnSignals } from '#cli/end-probes.ts'
import {
  limitMsOf,
  type MachineOptions,
  machineOf,
  withMachineOptions,
} from '#cli/recorded-machine.ts'
import { printJson } from '#cli/terminal.ts'
import { detect } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import { systemClock } from '#std/clock.ts'

export function addDetectCommand(program: Command): void {
  withMachineOptions(program.command('detect'))
    .description('Show the GPUs and the CPU of this machine: memory, architecture, runtimes.')
    .option('--json', 'print all that is known of each device')
    .addHelpText(
      'after',
      '\nMemory with ~ is shared with the CPU. What hangs is ended after 3.5 s.',
    )
    .action(async ({ json, ...options }: MachineOptions & { json?: boolean }) => {
      endProbesOnSignals()
      const { inventory } = await detect(probes, machineOf(options), {
        clock: systemClock,
        ...limitMsOf(options),
      })
      if (json) printJson(inventory)
      else console.log(detectText(inventory))
    })
}
