/**
 * Which processes have a file open or mapped, where the system lets us see it: an engine that was
 * started by hand makes no claim, and taking its weights away would fail it at the next page.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'

export interface FileUser {
  readonly pid: number
  readonly command: string
}

/** Empty on systems without /proc, and for processes of other users. */
export async function openFilesOf(paths: readonly string[]): Promise<readonly FileUser[]> {
  if (process.platform !== 'linux') return []
  const inodes = new Set<number>()
  const files = new Set<string>()
  for (const path of paths) {
    const info = await stat(path).catch(() => null)
    if (info === null) continue
    // Links of one file have different paths but one inode.
    inodes.add(info.ino)
    files.add(`${info.dev}:${info.ino}`)
  }
  const users: FileUser[] = []
  for (const name of await readdir('/proc').catch(() => [])) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    if (!(await maps(pid, inodes)) && !(await opens(pid, files))) continue
    const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'a process')
    users.push({ pid, command: command.trim() })
  }
  return users
}

async function opens(pid: number, files: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`
  for (const name of await readdir(folder).catch(() => [])) {
    const info = await stat(`${folder}/${name}`).catch(() => null)
    if (info !== null && files.has(`${info.dev}:${info.ino}`)) return true
  }
  return false
}

/** `7f00-7f10 r--s 00000000 103:02 1234  /path`: llama.cpp maps its weights and closes the file. */
const mapLine = /^\S+ \S+ \S+ \S+ (\d+) +(\/.*)$/

async function maps(pid: number, inodes: ReadonlySet<number>): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '')
  return text.split('\n').some((line) => {
    const [, inode, path] = mapLine.exec(line) ?? []
    // Devices are told differently here on layered file systems, so the name has to agree.
    return path !== undefined && inodes.has(Number(inode)) && isWeightsName(basename(path))
  })
}

function isWeightsName(name: string): boolean {
  return /^sha256-|^[0-9a-f]{40,64}$|\.(gguf|safetensors)$/.test(name)
}
