/** Groups that may use the GPUs of this machine: a process in a container has to be in them. */
import { readdir, readFile, stat } from 'node:fs/promises'

/** What is asked of the system; another one in tests. */
export interface DeviceFiles {
  /** Names in a folder; empty where it cannot be read. */
  list(folder: string): Promise<readonly string[]>
  /** The id of the group that owns a file; null where it is not there. */
  groupOf(path: string): Promise<number | null>
  /** /etc/group; null where there is none. */
  groups(): Promise<string | null>
}

/**
 * Numbers and not names, because an image numbers its groups in its own way. Those that own the
 * device files; where there are none yet, as before a driver is loaded, those that would.
 * Rejects never.
 */
export async function deviceGroupIds(files: DeviceFiles = filesHere): Promise<readonly number[]> {
  const cards = (await files.list('/dev/dri')).filter((name) => /^(card|renderD)\d+$/.test(name))
  const paths = ['/dev/kfd', ...cards.map((name) => `/dev/dri/${name}`)]
  const owners = await Promise.all(paths.map((path) => files.groupOf(path)))
  // Files of root's group are open to everybody, or to root alone.
  const found = owners.filter((id) => id !== null).filter((id) => id !== 0)
  const ids = found.length > 0 ? found : namedIds((await files.groups()) ?? '')
  return [...new Set(ids)].sort((one, other) => one - other)
}

/** `render:x:993:` */
function namedIds(groups: string): number[] {
  return [...groups.matchAll(/^(?:render|video):[^:]*:(\d+):/gm)].map(([, id]) => Number(id))
}

const filesHere: DeviceFiles = {
  list: (folder) => readdir(folder).catch(() => []),
  groupOf: async (path) => (await stat(path).catch(() => null))?.gid ?? null,
  groups: () => readFile('/etc/group', 'utf8').catch(() => null),
}
