/**
 * In a clone, bin/motley lets Node keep what it has compiled: a folder for each version of Node and
 * each user, and Node itself never removes the one of a version that has gone.
 */
import { readdir, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

export interface CompileCache {
  /** Where this process keeps its own; undefined where it keeps none. */
  readonly own: string | undefined
  /** Where bin/motley has it kept: whatever else somebody has set is not ours to tidy. */
  readonly folder: string
}

/** Whoever has not started a version for so long will not miss the second that it saves. */
const unusedMsMax = 30 * 24 * 60 * 60_000

/** Often enough that no folder of a process that runs ever looks unused. */
const markEveryMs = 24 * 60 * 60_000

/** As `v24.21.0-x64-964aae3f-1000`; the user at its end is told where the system has numbers for them. */
const folderForm = /^v\d+\.\d+\.\d+-\w+-[0-9a-f]+(-\d+)?$/

/** Marks this one as used, and removes those that nobody has used for long. */
export async function tidyCompileCache(
  { own, folder }: CompileCache,
  nowMs: number,
): Promise<void> {
  if (own === undefined || dirname(resolve(own)) !== resolve(folder)) return
  await utimes(own, nowMs / 1_000, nowMs / 1_000)
  const user = folderForm.exec(own.slice(dirname(own).length + 1))?.[1]
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const form = folderForm.exec(name)
    if (form === null || form[1] !== user || path === resolve(own)) continue
    const { mtimeMs } = await stat(path)
    if (nowMs - mtimeMs > unusedMsMax) await rm(path, { recursive: true, force: true })
  }
}

/** For as long as this process runs; that a cache cannot be tidied is worth no word. */
export function keepCompileCache(cache: CompileCache): void {
  const tidy = (): void => void tidyCompileCache(cache, Date.now()).catch(() => {})
  tidy()
  setInterval(tidy, markEveryMs).unref()
}
