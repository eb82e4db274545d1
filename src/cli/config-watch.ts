/** Tells when motley.yaml has changed, however an editor or a mounted volume replaces it. */
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

/** Editors write a file in several steps; a change is read when they have been quiet this long. */
const quietMs = 200

/** Longer than any step of an editor: a file that is missing then was taken away. */
const goneMs = 2_000

export interface ConfigWatch {
  close(): void
}

/**
 * Watches the folder: a file that is replaced is another file, and a watch of it would go blind. That
 * it is gone is a change too.
 */
export function watchConfigFile(
  file: string,
  onChange: () => void,
  onError: (error: Error) => void,
): ConfigWatch {
  let timer: NodeJS.Timeout | null = null
  let last = contentOf(file)
  const look = (isMissing: boolean) => {
    timer = null
    const now = contentOf(file)
    if (now === last) return
    // Between two steps of an editor the file may be missing.
    if (now === null && !isMissing) {
      timer = setTimeout(look, goneMs, true)
      return
    }
    last = now
    onChange()
  }
  let watcher: FSWatcher | null = null
  try {
    watcher = watch(dirname(file), (_event, name) => {
      // Another file may change all the time, as a log does: that must not put the look off.
      if (timer !== null && name !== basename(file)) return
      if (timer !== null) clearTimeout(timer)
      timer = setTimeout(look, quietMs, false)
    })
    watcher.on('error', onError)
  } catch (error) {
    onError(error as Error)
  }
  return {
    close() {
      watcher?.close()
      if (timer !== null) clearTimeout(timer)
    },
  }
}

function contentOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
