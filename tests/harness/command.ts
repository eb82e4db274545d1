/** Motley's commands as processes, run to their end. */
import { spawn } from 'node:child_process'
import { packageFile } from './package-file.ts'

export interface CommandEnd {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface CommandSettings {
  readonly env?: Readonly<Record<string, string>>
  /** What it reads; left out: nothing. */
  readonly input?: string
}

export function motley(
  args: readonly string[],
  { env = {}, input = '' }: CommandSettings = {},
): Promise<CommandEnd> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [packageFile('bin/motley'), ...args], {
      cwd: '/',
      env: { ...process.env, NO_COLOR: '1', ...env },
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    child.on('close', (code) => resolve({ code, out, err }))
    child.stdin.end(input)
  })
}
