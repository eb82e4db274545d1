/** Motley's commands as processes, run to their end. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageFile } from './package-file.ts'

export interface CommandEnd {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface CommandSettings {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** What it reads; left out: nothing. */
  readonly input?: string
}

/** The tester may run a Motley of their own, in the folder of their own. */
const dataFolder = mkdtempSync(join(tmpdir(), 'motley-command-'))
process.on('exit', () => rmSync(dataFolder, { recursive: true, force: true }))

/** Settings of Motley and Node in the environment of the test do not reach it. */
export function motley(
  args: readonly string[],
  { env = {}, cwd = '/', input = '' }: CommandSettings = {},
): Promise<CommandEnd> {
  const own = Object.entries(process.env).filter(([name]) => !/^(MOTLEY|NODE)_/.test(name))
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [packageFile('bin/motley'), ...args], {
      cwd,
      env: { ...Object.fromEntries(own), MOTLEY_DATA_DIR: dataFolder, NO_COLOR: '1', ...env },
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    child.on('close', (code) => resolve({ code, out, err }))
    child.stdin.end(input)
  })
}
