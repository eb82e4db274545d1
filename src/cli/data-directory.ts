import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { CommandFailure } from '#cli/command-failure.ts'

/** Where Motley keeps what it downloads for this user. */
export function dataDirectory(env = process.env): string {
  if (env['MOTLEY_DATA_DIR']) return env['MOTLEY_DATA_DIR']
  if (process.platform === 'win32' && env['LOCALAPPDATA'])
    return join(env['LOCALAPPDATA'], 'motley')
  if (process.platform === 'darwin')
    return join(homedir(), 'Library', 'Application Support', 'motley')
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'motley')
}

/** What it means when that folder cannot be used, as a failure of the user's; else null. */
export function dataDirectoryFailure(error: unknown): CommandFailure | null {
  if (!(error instanceof Error)) return null
  const { code = '', path = '' } = error as NodeJS.ErrnoException
  const directory = dataDirectory()
  if (!path.startsWith(directory)) return null
  const words: Readonly<Record<string, string>> = {
    ENOTDIR: 'it is not a folder',
    EEXIST: 'it is not a folder',
    EACCES: 'this user may not write there',
    EPERM: 'this user may not write there',
    EROFS: 'it is read-only',
    ENOSPC: 'its disk is full',
    ENOENT: 'it cannot be made',
  }
  const why = words[code]
  if (why === undefined) return null
  return new CommandFailure(
    'wrong',
    `${directory} cannot be used (${why}): name another folder with MOTLEY_DATA_DIR`,
    { cause: error },
  )
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
