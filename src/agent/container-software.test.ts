import { expect, test } from 'vitest'
import { containerSoftware } from '#agent/container-software.ts'
import type { CommandResult } from '#hardware/probe.ts'

const answers = (result: CommandResult, containerRuntime = 'docker') =>
  containerSoftware({
    machine: { run: async () => result },
    findProgram: (command) => command,
    containerRuntime,
  })

const ran = (stdout: string, exitCode = 0): CommandResult => ({
  kind: 'ran',
  exitCode,
  stdout,
  stderr: '',
})

test('a daemon tells what it can give devices with', async () => {
  const printed = '{"nvidia":{"path":"nvidia-container-runtime"},"runc":{"path":"runc"}}\n'
  expect(await answers(ran(printed))).toEqual({ kind: 'there', runtimes: ['nvidia', 'runc'] })
})

test.each<{ what: string; result: CommandResult }>([
  { what: 'does not run', result: ran('', 1) },
  { what: 'hangs', result: { kind: 'timeout', afterMs: 5_000, stdout: '', stderr: '' } },
])('where the daemon $what there are no containers', async ({ result }) => {
  expect(await answers(result)).toEqual({ kind: 'none' })
})

test('Podman has no daemon that could be asked', async () => {
  expect(await answers({ kind: 'missing' }, 'podman')).toEqual({ kind: 'there', runtimes: null })
})

test('without a program there are none', async () => {
  const look = { machine: { run: async () => ran('{}') }, containerRuntime: 'docker' }
  expect(await containerSoftware({ ...look, findProgram: () => null })).toEqual({ kind: 'none' })
})
