/** The machine that `detect`, `doctor` and `record` look at: this one, a mounted one, a recorded one. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { liveMachine } from '#hardware/machine/live-machine.ts'
import { recordedMachine, recordingFile } from '#hardware/machine/recording.ts'
import type { Machine } from '#hardware/probe.ts'

export interface MachineOptions {
  readonly rootfs?: string
  readonly recording?: string
  readonly timeout?: number
}

export function withMachineOptions(command: Command): Command {
  return command
    .option(
      '--rootfs <dir>',
      'read the files of a host that is mounted there; commands are from PATH',
    )
    .option('--recording <dir>', 'replay what "motley record" wrote, or a fixture')
    .option('--timeout <seconds>', 'wait longer than 3.5 s for slow tools', secondsOf)
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0 && seconds <= 3_600)) {
    throw new CommandFailure('wrong', `--timeout takes seconds, 1 to 3600, and not "${text}"`)
  }
  return seconds
}

/** How long everything together may take, for the probes; undefined for their own limit. */
export function limitMsOf({ timeout }: MachineOptions): { limitMs?: number } {
  return timeout === undefined ? {} : { limitMs: timeout * 1_000 }
}

/** @throws {CommandFailure} */
export function machineOf({ rootfs, recording }: MachineOptions): Machine {
  if (rootfs !== undefined && recording !== undefined) {
    throw new CommandFailure(
      'wrong',
      'a machine is mounted (--rootfs) or recorded (--recording), not both',
    )
  }
  if (recording !== undefined) return readRecording(recording)
  if (rootfs !== undefined) checkRoot(rootfs)
  return liveMachine({ env: process.env, ...(rootfs === undefined ? {} : { root: rootfs }) })
}

/** @throws {CommandFailure} A typing error would read as a machine of which nothing is known. */
function checkRoot(rootfs: string): void {
  const isRoot = ['proc', 'sys'].some((name) => isDirectory(join(rootfs, name)))
  if (isRoot) return
  const why = isDirectory(rootfs) ? 'it holds neither /proc nor /sys' : 'there is no such folder'
  throw new CommandFailure('wrong', `--rootfs ${rootfs}: ${why}; mount the host's root there`)
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** @throws {CommandFailure} */
export function readRecording(directory: string): Machine {
  const read = (name: string): string | null => {
    // Names of a recording stay in its folder, whoever wrote it.
    if (/(^|[\\/])\.\.([\\/]|$)|^[\\/]/.test(name)) return null
    try {
      return readFileSync(join(directory, name), 'utf8')
    } catch {
      return null
    }
  }
  const text = read('machine.json')
  if (text === null) {
    throw new CommandFailure(
      'wrong',
      `--recording ${directory}: it holds no machine.json; "motley record ${directory}" writes one`,
    )
  }
  const parsed = recordingFile.safeParse(jsonOf(text))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const place = issue?.path.join('.') || 'the top'
    throw new CommandFailure(
      'wrong',
      `${join(directory, 'machine.json')} is no recording: at ${place}: ${issue?.message}`,
    )
  }
  return recordedMachine(parsed.data, read)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
