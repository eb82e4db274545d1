import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { homedir, hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { dataDirectory } from '#cli/data-directory.ts'
import { type MachineOptions, machineOf } from '#cli/recorded-machine.ts'
import { printJson } from '#cli/terminal.ts'
import { examine } from '#hardware/doctor/examine.ts'
import { probes } from '#hardware/index.ts'
import { maskFor } from '#hardware/machine/mask.ts'
import { recorderOf } from '#hardware/machine/recorder.ts'
import { systemClock } from '#std/clock.ts'

/** Slow tools may finish: a recording is made once. */
const recordMsMax = 20_000

export function addRecordCommand(program: Command): void {
  program
    .command('record')
    .description(
      'Write what this machine says of its hardware into a folder, to replay or to report.',
    )
    .argument('<dir>', 'a folder that is empty or not there yet')
    .option('--rootfs <dir>', 'read the files of a host that is mounted there')
    .option('--about <text>', 'what machine this is', '')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nHost and user names, serial numbers, UUIDs, addresses and keys are masked; read\nit before you share it. Replay it with "motley detect --recording <dir>".',
    )
    .action(
      async (
        directory: string,
        { about, json, ...options }: MachineOptions & { about: string; json?: boolean },
      ) => {
        makeEmpty(directory)
        const recorder = recorderOf(machineOf(options))
        const { inventory } = await examine(probes, recorder.machine, {
          clock: systemClock,
          dataDirectory: dataDirectory(),
          limitMs: recordMsMax,
        })
        const mask = maskFor({
          hostName: hostname(),
          userName: userInfo().username,
          homeDirectory: homedir(),
        })
        const parts = await recorder.write(about, mask)
        for (const [name, text] of parts) writeFileSync(join(directory, name), text)
        const devices = inventory.devices.map(({ name }) => name)
        if (json) printJson({ directory, files: [...parts.keys()], devices })
        else {
          console.log(
            `${parts.size} files in ${directory}, of ${devices.join(', ') || 'no device'}.`,
          )
          console.log(`Replay it with "motley detect --recording ${directory}".`)
        }
      },
    )
}

/** @throws {CommandFailure} Somebody's files are there already. */
function makeEmpty(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true })
    if (readdirSync(directory).length === 0) return
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandFailure('wrong', `cannot write to ${directory}: ${why}`, { cause: error })
  }
  throw new CommandFailure('wrong', `${directory} is not empty; name a new folder`)
}
