import type { Command } from 'commander'
import { alarmProblems } from '#cli/alarm-problems.ts'
import { dataDirectory } from '#cli/data-directory.ts'
import { doctorText } from '#cli/doctor-text.ts'
import { endProbesOnSignals } from '#cli/end-probes.ts'
import { engineVerdicts, engineVerdictsText } from '#cli/engine-verdicts.ts'
import {
  limitMsOf,
  type MachineOptions,
  machineOf,
  withMachineOptions,
} from '#cli/recorded-machine.ts'
import { printJson } from '#cli/terminal.ts'
import { driverLevels } from '#engines/compatibility/runtimes.ts'
import { engineCatalog } from '#engines/index.ts'
import { examine } from '#hardware/doctor/examine.ts'
import { probes } from '#hardware/index.ts'
import { systemClock } from '#std/clock.ts'

export function addDoctorCommand(program: Command): void {
  withMachineOptions(program.command('doctor'))
    .description(
      'Say what keeps engines from running well here, why, the command that mends it, and which engines run on each device.',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nEnds with 1 when something does not work; warnings and notes end with 0.',
    )
    .action(async ({ json, ...options }: MachineOptions & { json?: boolean }) => {
      endProbesOnSignals()
      const { inventory, problems: seen } = await examine(probes, machineOf(options), {
        clock: systemClock,
        dataDirectory: dataDirectory(),
        levels: driverLevels,
        ...limitMsOf(options),
      })
      // A machine that is only replayed runs nothing.
      const isThisOne = options.recording === undefined
      const problems = isThisOne ? [...seen, ...alarmProblems(dataDirectory())] : seen
      const engines = engineVerdicts(inventory, engineCatalog)
      if (json) {
        const verdicts = engines.flatMap((one) => one.engines)
        printJson({ os: inventory.os, problems, engines: verdicts })
      } else {
        const sections = [doctorText(inventory, problems), engineVerdictsText(engines)]
        console.log(sections.filter((text) => text !== '').join('\n\n'))
      }
      if (problems.some(({ severity }) => severity === 'error')) process.exitCode = 1
    })
}
