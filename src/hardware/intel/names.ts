/** What ids, names and versions of Intel GPUs say. */

/** The architecture a SYCL or Vulkan kernel is compiled for, by PCI device id. */
const byDeviceId: Readonly<
  Record<string, { name: string; architecture: string; integrated: boolean }>
> = {
  '0x56a0': { name: 'Intel Arc A770', architecture: 'xe-hpg', integrated: false },
  '0x56a1': { name: 'Intel Arc A750', architecture: 'xe-hpg', integrated: false },
  '0x56a2': { name: 'Intel Arc A580', architecture: 'xe-hpg', integrated: false },
  '0x56a5': { name: 'Intel Arc A380', architecture: 'xe-hpg', integrated: false },
  '0x56a6': { name: 'Intel Arc A310', architecture: 'xe-hpg', integrated: false },
  '0x56c0': { name: 'Intel Data Center GPU Flex 170', architecture: 'xe-hpg', integrated: false },
  '0x56c1': { name: 'Intel Data Center GPU Flex 140', architecture: 'xe-hpg', integrated: false },
  '0x0bd5': { name: 'Intel Data Center GPU Max 1550', architecture: 'xe-hpc', integrated: false },
  '0x0bda': { name: 'Intel Data Center GPU Max 1100', architecture: 'xe-hpc', integrated: false },
  '0xe20b': { name: 'Intel Arc B580', architecture: 'xe2', integrated: false },
  '0xe20c': { name: 'Intel Arc B570', architecture: 'xe2', integrated: false },
  '0xe211': { name: 'Intel Arc Pro B60', architecture: 'xe2', integrated: false },
  '0xe212': { name: 'Intel Arc Pro B50', architecture: 'xe2', integrated: false },
  '0xe223': { name: 'Intel Arc Pro B70', architecture: 'xe2', integrated: false },
  '0x7d55': { name: 'Intel Arc Graphics (Meteor Lake)', architecture: 'xe-lpg', integrated: true },
  '0x46a6': { name: 'Intel Iris Xe Graphics', architecture: 'xe-lp', integrated: true },
  '0x64a0': { name: 'Intel Arc Graphics (Lunar Lake)', architecture: 'xe2', integrated: true },
}

export function intelModel(deviceId: string | null) {
  return deviceId === null ? null : (byDeviceId[deviceId] ?? null)
}

/** By the GPU's IP version, as Level Zero tells it: 12.55.8 is an A770, 20.1 a B580. */
export function architectureOfIp(version: string | null): string | null {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  if (major === 20) return 'xe2'
  if (major !== 12) return null
  if (minor >= 70) return 'xe-lpg'
  if (minor >= 60) return 'xe-hpc'
  if (minor >= 55) return 'xe-hpg'
  return minor <= 10 ? 'xe-lp' : null
}

/** Arc A and B, Flex and Max are cards; everything else that Intel calls graphics is not. */
export function isIntegratedName(name: string | null): boolean | null {
  if (name === null) return null
  if (/\bArc (Pro )?[AB]\d{2,3}\b|Data Center|Flex|\bMax 1\d{3}\b/.test(name)) return false
  return /UHD|HD Graphics|Iris|Arc Graphics/.test(name) ? true : null
}

/** "Intel(R) Graphics [0x7d55]": firmware without a marketing name gives the PCI id. */
export function deviceIdInName(name: string | null): string | null {
  return /\[(0x[0-9a-f]{4})\]/i.exec(name ?? '')?.[1]?.toLowerCase() ?? null
}
