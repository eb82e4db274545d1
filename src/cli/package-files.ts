import { fileURLToPath } from 'node:url'

/** Where a file of this package is; `src/cli` and `dist/cli` lie equally deep in it. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}

/** A program of a room, to be started as a process: as source in a clone, else as built. */
export function roomProgram(path: string): string {
  const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
  return fileURLToPath(new URL(`../${path}${ending}`, import.meta.url))
}
