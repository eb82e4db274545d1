/** Tells agents on one machine from agents on two, whatever names and folders they have. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/**
 * A digest of the boot that this process runs in, which containers share with their host. The id of
 * an installation would not do: machines that were cloned have the same. Null where nobody can tell.
 */
export async function machineMark(platform: NodeJS.Platform): Promise<string | null> {
  const boot = await bootId(platform).catch(() => null)
  if (boot === null || boot === '') return null
  return createHash('sha256').update(`motley machine ${boot}`).digest('hex').slice(0, 32)
}

async function bootId(platform: NodeJS.Platform): Promise<string | null> {
  switch (platform) {
    case 'linux':
      return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    case 'darwin': {
      const options = { timeout: askMsMax }
      const { stdout } = await promisify(execFile)('sysctl', ['-n', bootSessionName], options)
      return stdout.trim()
    }
    default:
      return null
  }
}

const bootSessionName = 'kern.bootsessionuuid'
const askMsMax = 2_000
