import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where Motley keeps what it downloads for this user. */
export function dataDirectory(env = process.env): string {
  if (env['MOTLEY_DATA_DIR']) return env['MOTLEY_DATA_DIR']
  if (process.platform === 'win32' && env['LOCALAPPDATA'])
    return join(env['LOCALAPPDATA'], 'motley')
  if (process.platform === 'darwin')
    return join(homedir(), 'Library', 'Application Support', 'motley')
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'motley')
}

/** A build of the embedded engine has a folder of its own there. */
export function engineDirectory(variant: string): string {
  return join(dataDirectory(), 'engines', variant)
}

/** Downloaded weights, and what has been adopted from other programs. */
export function weightsDirectory(): string {
  return join(dataDirectory(), 'weights')
}

export function isInstalled(variant: string): boolean {
  return existsSync(join(engineDirectory(variant), 'node_modules', 'node-llama-cpp'))
}
