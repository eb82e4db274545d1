import { fileURLToPath } from 'node:url'

/** Where a file of this repository is. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}
