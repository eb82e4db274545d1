/**
 * Makes a folder and those above it, one by one. Node's own way (`recursive: true`) never ends where
 * nobody can make one and the system says that the folder above is missing, as it does in /proc.
 */
import { mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** Of the folders that are made; those that are there already stay as they are. */
export interface MakeFolderOptions {
  readonly mode?: number
}

/** Rejects with the system's error, whose `path` is the folder that was asked for. */
export async function makeFolder(path: string, options: MakeFolderOptions = {}): Promise<void> {
  const missing: string[] = []
  for (const folder of upwardsFrom(path)) {
    if (await isFolder(folder)) break
    missing.unshift(folder)
  }
  for (const folder of missing) {
    try {
      await mkdir(folder, options)
    } catch (error) {
      if (!(await isFolder(folder))) throw about(error, path)
    }
  }
}

/** @throws the system's error, whose `path` is the folder that was asked for. */
export function makeFolderSync(path: string, options: MakeFolderOptions = {}): void {
  const missing: string[] = []
  for (const folder of upwardsFrom(path)) {
    if (isFolderSync(folder)) break
    missing.unshift(folder)
  }
  for (const folder of missing) {
    try {
      mkdirSync(folder, options)
    } catch (error) {
      // Somebody else may have made it just now.
      if (!isFolderSync(folder)) throw about(error, path)
    }
  }
}

function* upwardsFrom(path: string): Generator<string> {
  let folder = resolve(path)
  for (;;) {
    yield folder
    const above = dirname(folder)
    if (above === folder) return
    folder = above
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false
}

function isFolderSync(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

function about(error: unknown, path: string): unknown {
  return error instanceof Error ? Object.assign(error, { path }) : error
}
