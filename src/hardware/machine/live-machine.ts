/**
 * The machine this process runs on. A command is ended with all that it has started when time is up:
 * tools start helpers that would keep a pipe open, and a driver busy, for ever. With a root folder,
 * files are those of a host that is mounted there; commands are still this machine's.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readdir, readlink } from 'node:fs/promises'
import { cpus, freemem, machine, totalmem, uptime } from 'node:os'
import { delimiter, join } from 'node:path'
import {
  commandEnder,
  commandMark,
  type EndCommand,
  kill,
} from '#hardware/machine/command-processes.ts'
import { noteRunning } from '#hardware/machine/running-commands.ts'
import type { Basics, CommandResult, Machine, System } from '#hardware/probe.ts'

/** Where drivers put their tools without telling PATH: WSL and the packages of ROCm. */
const toolFolders = ['/usr/lib/wsl/lib', '/opt/rocm/bin']

/** A file of facts is small; a log that somebody put in its place is not read to its end. */
const fileBytesMax = 4 * 2 ** 20
const outputBytesMax = 8 * 2 ** 20

/** What a tool has printed is in the pipe when it ends; a helper may hold the pipe open for ever. */
const lingerMs = 250

export interface LiveMachineOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Root of the files, `/` when left out. */
  readonly root?: string
}

export function liveMachine({ env, root = '/' }: LiveMachineOptions): Machine {
  const path = [env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', ...toolFolders].join(delimiter)
  // Tools translate what they print; readers know the words of the C locale.
  const toolEnv = { ...env, PATH: path, LC_ALL: 'C', LANG: 'C', LANGUAGE: 'C', NO_COLOR: '1' }
  const endCommand = commandEnder()
  return {
    system: systemOf(process.platform),
    run: (command, args, timeoutMs) =>
      runCommand([command, ...args], timeoutMs, toolEnv, endCommand),
    readFile: (file) => readSmallFile(join(root, file)),
    async listDirectory(folder) {
      const names = await readdir(join(root, folder)).catch(() => [])
      return names.sort()
    },
    readLink: (file) => readlink(join(root, file)).catch(() => null),
    variable: (name) => env[name] ?? null,
    basics: async () => (root === '/' ? basicsOfThisMachine() : null),
    otherRuns: async () => [],
  }
}

function basicsOfThisMachine(): Basics {
  const all = cpus()
  return {
    cpuName: all[0]?.model ?? '',
    architecture: machine(),
    threads: all.length,
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
  }
}

function systemOf(platform: NodeJS.Platform): System {
  return platform === 'darwin' || platform === 'win32' || platform === 'freebsd'
    ? platform
    : 'linux'
}

/** Regular files only: opening a pipe would wait for somebody to write. */
async function readSmallFile(path: string): Promise<string | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      if (!(await file.stat()).isFile()) return null
      // Files of the kernel say that they have 0 or 4096 bytes, so they are read until they end.
      const buffer = Buffer.alloc(65_536)
      const parts: Buffer[] = []
      for (let total = 0; total < fileBytesMax; ) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
        if (bytesRead === 0) break
        parts.push(Buffer.from(buffer.subarray(0, bytesRead)))
        total += bytesRead
      }
      return Buffer.concat(parts).toString('utf8')
    } finally {
      await file.close()
    }
  } catch {
    return null
  }
}

function runCommand(
  [command, ...args]: readonly [string, ...string[]],
  timeoutMs: number,
  env: Record<string, string | undefined>,
  endCommand: EndCommand,
): Promise<CommandResult> {
  const mark = randomUUID()
  const startedAtSeconds = uptime()
  return new Promise((resolve) => {
    let child: ChildProcess
    try {
      child = spawn(command, args, {
        env: { ...env, [commandMark]: mark },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: process.platform !== 'win32',
        windowsHide: true,
      })
    } catch (error) {
      resolve({ kind: 'failed', why: error instanceof Error ? error.message : String(error) })
      return
    }
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    let total = 0
    let exitCode: number | null = null
    let lingering: NodeJS.Timeout | undefined
    const collect = (parts: Buffer[]) => (part: Buffer) => {
      total += part.length
      if (total <= outputBytesMax) parts.push(part)
      else end()
    }
    child.stdout?.on('data', collect(stdout))
    child.stderr?.on('data', collect(stderr))
    const text = (parts: Buffer[]): string => Buffer.concat(parts).toString('utf8')
    let isOver = false
    const finish = async (result: CommandResult, hangs: boolean): Promise<void> => {
      if (isOver) return
      isOver = true
      noteEnded()
      clearTimeout(timer)
      clearTimeout(lingering)
      child.stdout?.destroy()
      child.stderr?.destroy()
      const { pid, exitCode: code, signalCode } = child
      const isRunning = code === null && signalCode === null
      if (pid !== undefined && process.platform === 'win32') endTree(child, isRunning)
      else if (pid !== undefined && hangs) {
        await endCommand({ pid, isRunning, mark, startedAtSeconds })
      } else if (pid !== undefined) kill(-pid)
      child.unref()
      resolve(result)
    }
    /** What it said before; a program that ended counts, even if a helper of it lives on. */
    const end = (): void => {
      const said = { stdout: text(stdout), stderr: text(stderr) }
      if (exitCode === null) void finish({ kind: 'timeout', afterMs: timeoutMs, ...said }, true)
      else void finish({ kind: 'ran', exitCode, ...said }, true)
    }
    const timer = setTimeout(end, timeoutMs)
    const { pid } = child
    const noteEnded =
      pid === undefined
        ? () => {}
        : noteRunning({
            pid,
            end: () =>
              finish({ kind: 'timeout', afterMs: timeoutMs, stdout: '', stderr: '' }, true),
          })
    child.on('error', (error: NodeJS.ErrnoException) => {
      const { code, message } = error
      void finish(code === 'ENOENT' ? { kind: 'missing' } : { kind: 'failed', why: message }, false)
    })
    child.on('exit', (code, signal) => {
      exitCode = code ?? (signal === null ? 1 : 128)
      lingering = setTimeout(end, lingerMs)
    })
    child.on('close', (code, signal) => {
      exitCode = code ?? (signal === null ? 1 : 128)
      // With its pipes closed, what it left in a session of its own was meant to stay: a daemon.
      void finish({ kind: 'ran', exitCode, stdout: text(stdout), stderr: text(stderr) }, false)
    })
  })
}

/** With its children, on Windows. */
function endTree(child: ChildProcess, isRunning: boolean): void {
  if (!isRunning) return
  spawn('taskkill', ['/pid', String(child.pid), '/t', '/f'], { stdio: 'ignore' })
    .on('error', () => child.kill())
    .unref()
}
