import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { detect } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import { liveMachine } from '#hardware/machine/live-machine.ts'
import { systemClock } from '#std/clock.ts'

const folder = mkdtempSync(join(tmpdir(), 'motley-live-machine-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A program of the given name in a folder of its own, in front of the PATH. */
function withTools(tools: Readonly<Record<string, string>>) {
  const place = mkdtempSync(join(folder, 'tools-'))
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(join(place, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(place, name), 0o755)
  }
  return liveMachine({ env: { PATH: [place, '/usr/bin', '/bin'].join(delimiter) } })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe.skipIf(process.platform === 'win32')('a live machine', () => {
  test('gives what a tool printed and how it ended', async () => {
    const machine = withTools({ tool: 'echo out; echo err >&2; exit 9' })
    expect(await machine.run('tool', [], 5_000)).toEqual({
      kind: 'ran',
      exitCode: 9,
      stdout: 'out\n',
      stderr: 'err\n',
    })
  })

  test('speaks the C locale with its tools, whatever the user speaks', async () => {
    const env = { PATH: '/usr/bin:/bin', LC_ALL: 'de_DE.UTF-8', LANGUAGE: 'de' }
    const result = await liveMachine({ env }).run('env', [], 5_000)
    expect(result.kind === 'ran' && result.stdout).toMatch(/^LC_ALL=C$/m)
    expect(result.kind === 'ran' && result.stdout).toMatch(/^LANGUAGE=C$/m)
  })

  test('tells a program that is not there from one that may not be started', async () => {
    const machine = withTools({ locked: 'true' })
    expect(await machine.run('no-such-tool', [], 5_000)).toEqual({ kind: 'missing' })
    const place = mkdtempSync(join(folder, 'locked-'))
    mkdirSync(join(place, 'tool'))
    const other = liveMachine({ env: { PATH: place } })
    expect((await other.run('tool', [], 5_000)).kind).toBe('failed')
  })

  test('ends a tool that hangs, with all it has started, and keeps what it said', async () => {
    const pids = join(folder, 'pids')
    const machine = withTools({
      tool: `sleep 600 & echo $! >> ${pids}; echo $$ >> ${pids}; echo half; wait`,
    })
    const result = await machine.run('tool', [], 500)
    expect(result).toEqual({ kind: 'timeout', afterMs: 500, stdout: 'half\n', stderr: '' })
    const started = execFileSync('cat', [pids], { encoding: 'utf8' }).trim().split('\n').map(Number)
    expect(started).toHaveLength(2)
    await vi.waitFor(() => expect(started.filter(isAlive)).toEqual([]), 30_000)
  })

  test.skipIf(process.platform !== 'linux').each([
    { how: 'moves to a session of its own', script: 'exec setsid --wait sh -c "$HANG"' },
    { how: 'forks into a session of its own and ends', script: 'exec setsid sh -c "$HANG"' },
    { how: 'leaves an orphan there', script: '(setsid sh -c "$HANG" &); sleep 600' },
    { how: 'leaves one without its environment', script: 'env -i setsid --wait sh -c "$HANG"' },
  ])('ends a tool that $how', async ({ script }) => {
    const pids = join(mkdtempSync(join(folder, 'pids-')), 'pids')
    const hang = `echo $$ >> ${pids}; sleep 600 & echo $! >> ${pids}; wait`
    const machine = withTools({ tool: `HANG='${hang}'\n${script}` })
    await machine.run('tool', [], 700)
    const started = readFileSync(pids, 'utf8').trim().split('\n').map(Number)
    expect(started).toHaveLength(2)
    await vi.waitFor(() => expect(started.filter(isAlive)).toEqual([]), 30_000)
  })

  test('does not wait for a helper that keeps the pipe of a tool that has ended', async () => {
    const machine = withTools({ tool: 'sleep 600 & echo done' })
    const result = await machine.run('tool', [], 3_600_000)
    expect(result).toEqual({ kind: 'ran', exitCode: 0, stdout: 'done\n', stderr: '' })
  })

  test('ends a tool that never stops talking', async () => {
    const machine = withTools({ tool: 'yes' })
    const result = await machine.run('tool', [], 10_000)
    expect(result.kind).toBe('timeout')
    expect(result.kind === 'timeout' && result.stdout.length).toBeLessThan(9e6)
  })

  test('reads files below another root, and no pipe that nobody writes to', async () => {
    const root = mkdtempSync(join(folder, 'root-'))
    mkdirSync(join(root, 'proc'))
    writeFileSync(join(root, 'proc/meminfo'), 'MemTotal: 1 kB\n')
    symlinkSync('../driver/amdgpu', join(root, 'proc/link'))
    execFileSync('sh', ['-c', `mkfifo '${join(root, 'proc/pipe')}'`])
    const machine = liveMachine({ env: {}, root })
    expect(await machine.readFile('/proc/meminfo')).toBe('MemTotal: 1 kB\n')
    expect(await machine.readFile('/proc/pipe')).toBeNull()
    expect(await machine.readFile('/proc')).toBeNull()
    expect(await machine.listDirectory('/proc')).toEqual(['link', 'meminfo', 'pipe'])
    expect(await machine.readLink('/proc/link')).toBe('../driver/amdgpu')
    expect(await machine.basics()).toBeNull()
  })

  test('is detected when every tool hangs, and says which did', async () => {
    const names = [...new Set(probes.flatMap(({ commands }) => commands.map((one) => one.command)))]
    const machine = withTools(Object.fromEntries(names.map((name) => [name, 'sleep 600'])))
    const { inventory } = await detect(probes, machine, { clock: systemClock, limitMs: 1_000 })
    const hung = inventory.problems.map(({ what }) => what)
    expect(hung).toContainEqual(expect.stringMatching(/^"nvidia-smi .* gave no answer in 1\.0 s/))
    expect(hung).toContainEqual(expect.stringMatching(/^"amd-smi /))
    expect(inventory.devices.map(({ vendor }) => vendor)).toContain('cpu')
  })
})
