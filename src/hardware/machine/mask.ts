/**
 * Takes out of a recording what belongs to a person or to one piece of hardware: names, serial
 * numbers, UUIDs, addresses, keys. The same UUID becomes the same number everywhere, so that devices
 * can still be told apart and found again.
 */
export interface Owner {
  readonly hostName: string
  readonly userName: string
  readonly homeDirectory: string
}

export type Mask = (text: string) => string

const keyPatterns = [
  /\b(hf_|sk-|ghp_|glpat-|xox[bp]-)[A-Za-z0-9_-]{8,}/g,
  /\b(Bearer\s+)[A-Za-z0-9._~+/=-]{8,}/g,
  // Names may go on before it, as HF_TOKEN, and JSON has quotes around name and value.
  /((?<![A-Za-z0-9])[\w-]*(?:api[_-]?key|token|password|passwd|secret)["']?\s*[=:]\s*["']?)[^\s,;"'<]+/gi,
]

const serials: readonly (readonly [RegExp, string])[] = [
  [/(<serial>)[^<]*/gi, '$1masked'],
  [/(<(?:gpu_pdi|board_id|platform_uuid)>)[^<]*/gi, '$1masked'],
  [
    /((?:Serial Number|GPU PDI|Board ID|Hardware UUID|Provisioning UDID)\s*: *)\S.*$/gim,
    '$1masked',
  ],
  [/("[^"]*(?:serial|UDID)[^"]*"\s*:\s*)(?:"[^"]*"|\d{6,})/gi, '$1"masked"'],
  [/("Unique ID"\s*:\s*)"[^"]*"/gi, '$1"masked"'],
  [/^(unique_id )\d+$/gm, '$10'],
]

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi
const macAddress = /\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi
const privateAddress =
  /(?<![\d.])(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])(?:\.\d{1,3}){2})(?![\d.])/g
/** Link-local, unique local and global ones; not `::`, and not times or PCI addresses. */
const longAddress = /\b(?:fe80|f[cd][0-9a-f]{2}|2[0-9a-f]{3}):[0-9a-f:]*[0-9a-f]\b/gi
const someonesHome = /(?<=\/(?:home|Users)\/)(?!user\b)[\w.-]+/g

export function maskFor({ hostName, userName, homeDirectory }: Owner): Mask {
  const numbers = new Map<string, string>()
  const numbered = (text: string): string => {
    // Vulkan drivers write a PCI address as a UUID, which is mostly zeros and needed to match.
    if ((text.match(/0/g)?.length ?? 0) >= 20) return text
    const key = text.toLowerCase()
    const known = numbers.get(key) ?? String(numbers.size + 1).padStart(12, '0')
    numbers.set(key, known)
    return `00000000-0000-0000-0000-${known}`
  }
  const words: readonly (readonly [string, string])[] = [
    [homeDirectory, '/home/user'],
    [hostName, 'node'],
    [hostName.split('.')[0] ?? '', 'node'],
    [userName, 'user'],
  ]
  return (text) => {
    let masked = text
    for (const [word, instead] of words) {
      // Short and common names stand in too many other words; root is everybody.
      if (word.length < 3 || /^(root|localhost|linux|user|node|\/root)$/i.test(word)) continue
      const literal = word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      masked = masked.replace(
        new RegExp(`(?<![A-Za-z0-9])${literal}(?![A-Za-z0-9])`, 'gi'),
        instead,
      )
    }
    for (const pattern of keyPatterns) masked = masked.replace(pattern, '$1masked')
    for (const [pattern, instead] of serials) masked = masked.replace(pattern, instead)
    return masked
      .replace(uuid, numbered)
      .replace(macAddress, '00:00:00:00:00:00')
      .replace(privateAddress, '192.0.2.1')
      .replace(longAddress, '2001:db8::1')
      .replace(someonesHome, 'user')
  }
}
