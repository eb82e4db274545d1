import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { dataDirectory } from '#cli/data-directory.ts'
import { endProbesOnSignals } from '#cli/end-probes.ts'
import { type MachineOptions, machineOf } from '#cli/recorded-machine.ts'
import { printJson } from '#cli/terminal.ts'
import { driverLevels } from '#engines/compatibility/runtimes.ts'
import { examine } from '#hardware/doctor/examine.ts'
import { probes } from '#hardware/index.ts'
import { maskFor } from '#hardware/machine/mask.ts'
import { recorderOf } from '#hardware/machine/recorder.ts'
import { systemClock } from '#std/clock.ts'
import { makeFolderSync } from '#std/make-folder.ts'

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
        endProbesOnSignals()
        makeEmpty(directory)
        const recorder = recorderOf(machineOf(options))
        const { inventory } = await examine(probes, recorder.machine, {
          clock: systemClock,
          dataDirectory: dataDirectory(),
          levels: driverLevels,
          limitMs: recordMsMax,
        })
        const mask = maskFor({
          hostName: hostname(),
          userName: userInfo().username,
          homeDirectory: homedir(),
        })
        const parts = await recorder.write(about, mask)
        writing(directory, () => {
          for (const [name, text] of parts) writeFileSync(join(directory, name), text)
        })
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

/**
 * Probing takes seconds, so that nothing can be written is found out before.
 * @throws {CommandFailure} Also where somebody's files are there already.
 */
function makeEmpty(directory: string): void {
  writing(directory, () => makeFolderSync(directory))
  if (writing(directory, () => readdirSync(directory)).length > 0) {
    throw new CommandFailure('wrong', `${directory} is not empty; name a new folder`)
  }
  const trial = join(directory, 'trial')
  writing(directory, () => {
    writeFileSync(trial, '')
    rmSync(trial)
  })
}

const refusals: Readonly<Record<string, string>> = {
  EEXIST: 'it is not a folder',
  ENOTDIR: 'it is not a folder',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is read-only',
  ENOENT: 'no folder can be made there',
  ENOSPC: 'its disk is full',
}

/** @throws {CommandFailure} */
function writing<Result>(directory: string, write: () => Result): Result {
  try {
    return write()
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    throw new CommandFailure(
      'wrong',
      `cannot write to ${directory} (${refusals[code] ?? message}): name another folder`,
      { cause: error },
    )
  }
}
