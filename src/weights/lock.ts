/**
 * One pull at a time writes a partial file, whichever process it runs in. The lock is a file that
 * its holder touches; one that has not been touched for a while, or whose process is gone, is free.
 */
import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { z } from 'zod'
import { makeFolder } from '#std/make-folder.ts'
import { parseJson } from '#std/parse-json.ts'
import { diskFailure } from '#weights/durable-file.ts'

export interface FileLock {
  release(): Promise<void>
}

const touchMs = 5_000
/** Six missed touches: a process that is only slow, or a laptop that slept, still has its lock. */
const staleMs = 30_000

const holderShape = z.object({ token: z.string(), pid: z.int(), host: z.string() })

/** Null while somebody else has it. Rejects with a WeightsError. */
export async function tryLock(path: string): Promise<FileLock | null> {
  const token = randomUUID()
  try {
    await makeFolder(dirname(path))
    if (!(await create(path, token))) {
      if (!(await removeStale(path))) return null
      if (!(await create(path, token))) return null
    }
  } catch (cause) {
    throw diskFailure(path, cause)
  }
  // File times are of the machine's own clock, and so is the pace of touching.
  const touching = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {}) // the next touch, or nobody, finds out
  }, touchMs)
  touching.unref()
  return {
    async release() {
      clearInterval(touching)
      if ((await readHolder(path))?.token === token) await rm(path, { force: true })
    },
  }
}

async function create(path: string, token: string): Promise<boolean> {
  const draft = `${path}.${token}`
  const file = await open(draft, 'wx')
  await file.writeFile(JSON.stringify({ token, pid: process.pid, host: hostname() }))
  await file.close()
  try {
    // A link appears with its content, or not at all because somebody was faster.
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** True when the lock is gone. */
async function removeStale(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => null)
  if (info === null) return true
  const holder = await readHolder(path)
  const untouchedMs = Date.now() - info.mtimeMs
  const isHere = holder?.host === hostname()
  if (untouchedMs < staleMs && (!isHere || holder === null || isAlive(holder.pid))) return false
  // Two may have come to this point: what is moved away must be what was looked at.
  const aside = `${path}.${randomUUID()}`
  await rename(path, aside).catch(() => {})
  const moved = await readHolder(aside)
  if (moved !== null && moved.token !== holder?.token) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
  return moved === null || moved.token === holder?.token
}

async function readHolder(path: string): Promise<z.output<typeof holderShape> | null> {
  const text = await readFile(path, 'utf8').catch(() => null)
  const parsed = holderShape.safeParse(text === null ? null : parseJson(text))
  return parsed.success ? parsed.data : null
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
