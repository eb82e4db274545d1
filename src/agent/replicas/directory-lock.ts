/** One agent for a folder of replicas: two would start every engine twice. */
import { randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isRunning, markOf } from '#agent/replicas/process-mark.ts'
import { SupervisionError } from '#agent/replicas/replica-spec.ts'
import { makeFolder } from '#std/make-folder.ts'
import { parseJson } from '#std/parse-json.ts'

/**
 * Returns a function that gives it back. One that was held by a process that has died is taken.
 *
 * @throws {SupervisionError} While another process, or this one, holds it.
 */
export async function lockDirectory(path: string): Promise<() => Promise<void>> {
  await makeFolder(dirname(path), { mode: 0o700 })
  const own = `${path}.${randomUUID()}`
  await writeFile(own, JSON.stringify(await markOf(process.pid)), { mode: 0o600 })
  try {
    // A link is made whole or, where there is one, not at all.
    while (!(await tryLink(own, path))) {
      const holder = parseJson(await readFile(path, 'utf8').catch(() => ''))
      if (isMark(holder) && (await isRunning(holder))) {
        throw new SupervisionError(
          `This machine is a node already: process ${holder.pid} keeps its replicas, in ${dirname(path)}. Stop that one, or give a second one a folder of its own with MOTLEY_DATA_DIR.`,
        )
      }
      await rm(path, { force: true })
    }
  } finally {
    await rm(own)
  }
  return () => rm(path, { force: true })
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

function isMark(value: unknown): value is { readonly pid: number; readonly started: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'started' in value &&
    typeof value.started === 'string'
  )
}
