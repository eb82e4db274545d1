/** What the plain tools of macOS say: sysctl and vm_stat. Two probes read them. */
import { countIn, nodeBytes } from '#hardware/probe-fields.ts'

/** "name: value" lines, also inside a pasted terminal with prompts. */
export function readSysctl(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/^([a-z]+(?:\.[A-Za-z0-9_]+)+): (.*)$/gm)].map(
      ([, name = '', value = '']) => [name, value.trim()] as const,
    ),
  )
}

/** Memory that cannot be given away: active, wired and compressed pages, in bytes. */
export function readVmStat(text: string): number | null {
  const pageBytes = countIn(/page size of (\d+) bytes/.exec(text)?.[1], 2 ** 20)
  const pages = (name: string): number | null =>
    countIn(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1], 2 ** 40)
  const counts = ['Pages active', 'Pages wired down', 'Pages occupied by compressor'].map(pages)
  if (pageBytes === null || counts.includes(null)) return null
  return nodeBytes(counts.reduce<number>((sum, count) => sum + (count ?? 0), 0) * pageBytes)
}
