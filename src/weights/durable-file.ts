/** Files that are there whole or not at all, also after the power went away. */
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder } from '#std/make-folder.ts'
import { WeightsError } from '#weights/weights-error.ts'

/** Replaces the file in one step. Rejects with a WeightsError. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`
  try {
    await makeFolder(dirname(path))
    const file = await open(draft, 'w')
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    await rm(draft, { force: true })
    throw diskFailure(path, cause)
  }
}

/** A renamed file is only there for good once its folder is written. Windows does that by itself. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export function diskFailure(path: string, cause: unknown): WeightsError {
  if (cause instanceof WeightsError) return cause
  const { code } = cause as NodeJS.ErrnoException
  return fullCodes.has(code ?? '')
    ? new WeightsError(
        'disk_full',
        `no room is left for ${path} (${code}); free some, and pull again: what is there is kept`,
        { cause },
      )
    : new WeightsError('disk_failed', `${path} cannot be written (${code ?? cause})`, { cause })
}
