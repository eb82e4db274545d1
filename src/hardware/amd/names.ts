/** What ids and names of AMD GPUs say: which gfx target they are, and whether they are part of a CPU. */

/**
 * KFD writes the target as major * 10000 + minor * 100 + stepping; its name has minor and stepping
 * as one hexadecimal digit each: 90010 is gfx90a, 110501 is gfx1151.
 */
export function gfxOfTargetVersion(version: number | null): string | null {
  if (version === null || !Number.isInteger(version) || version < 70_000 || version > 999_999) {
    return null
  }
  const [major, minor, stepping] = [
    Math.floor(version / 10_000),
    Math.floor(version / 100) % 100,
    version % 100,
  ]
  return minor > 15 || stepping > 15
    ? null
    : `gfx${major}${minor.toString(16)}${stepping.toString(16)}`
}

/** "gfx1151" as it is; null for other words. */
export function gfxIn(value: unknown): string | null {
  const match = typeof value === 'string' ? /^\s*(gfx[0-9a-f]{3,4})\b/i.exec(value) : null
  return match?.[1]?.toLowerCase() ?? null
}

/** Targets that exist only as part of a CPU. MI300A shares gfx942 with cards that are none. */
const integratedTargets = new Set([
  'gfx902',
  'gfx90c',
  'gfx1013',
  'gfx1033',
  'gfx1035',
  'gfx1036',
  'gfx1037',
  'gfx1103',
  'gfx1150',
  'gfx1151',
  'gfx1152',
  'gfx1153',
])

interface Model {
  readonly name: string | null
  readonly gfx: string
}

/** By PCI device id, where a machine of our recordings or stories has it. */
const byDeviceId: Readonly<Record<string, Model>> = {
  '0x66a1': { name: 'AMD Instinct MI50', gfx: 'gfx906' },
  '0x738c': { name: 'AMD Instinct MI100', gfx: 'gfx908' },
  '0x7408': { name: 'AMD Instinct MI250X', gfx: 'gfx90a' },
  '0x740c': { name: 'AMD Instinct MI250', gfx: 'gfx90a' },
  '0x740f': { name: 'AMD Instinct MI210', gfx: 'gfx90a' },
  '0x74a0': { name: 'AMD Instinct MI300A', gfx: 'gfx942' },
  '0x74a1': { name: 'AMD Instinct MI300X', gfx: 'gfx942' },
  '0x74a2': { name: 'AMD Instinct MI308X', gfx: 'gfx942' },
  '0x74a5': { name: 'AMD Instinct MI325X', gfx: 'gfx942' },
  '0x74b5': { name: 'AMD Instinct MI300X VF', gfx: 'gfx942' },
  '0x73bf': { name: null, gfx: 'gfx1030' },
  '0x73df': { name: null, gfx: 'gfx1031' },
  '0x73ff': { name: null, gfx: 'gfx1032' },
  '0x1681': { name: 'AMD Radeon 680M', gfx: 'gfx1035' },
  '0x164e': { name: null, gfx: 'gfx1036' },
  '0x744c': { name: null, gfx: 'gfx1100' },
  '0x15bf': { name: null, gfx: 'gfx1103' },
  '0x150e': { name: null, gfx: 'gfx1150' },
  '0x1586': { name: 'AMD Radeon 8060S / 8050S (Strix Halo)', gfx: 'gfx1151' },
}

const byName: readonly (readonly [RegExp, string])[] = [
  [/MI50\b|MI60\b|Radeon VII/, 'gfx906'],
  [/MI100\b/, 'gfx908'],
  [/MI2[15]0X?\b/, 'gfx90a'],
  [/MI3(00[AX]|08X|25X)/, 'gfx942'],
  [/MI35[05]X/, 'gfx950'],
  [/RX 6[89]\d0( XT)?\b|W6800|V620/, 'gfx1030'],
  [/RX 67\d0( XT)?\b/, 'gfx1031'],
  [/RX 66\d0( XT)?\b|W6600/, 'gfx1032'],
  [/6[68]0M\b|Rembrandt/, 'gfx1035'],
  [/Raphael/, 'gfx1036'],
  [/RX 7900|W7[89]00/, 'gfx1100'],
  [/RX 7[78]00 XT|W7700|V710/, 'gfx1101'],
  [/RX 7600|W7600/, 'gfx1102'],
  [/7[468]0M\b|Phoenix|Hawk Point/, 'gfx1103'],
  [/8[89]0M\b|Strix Point/, 'gfx1150'],
  [/80[56]0S\b|Strix Halo|STRXLGEN/i, 'gfx1151'],
  [/RX 9060/, 'gfx1200'],
  [/RX 9070|R9700/, 'gfx1201'],
]

export function modelOf(deviceId: string | null): Model | null {
  return deviceId === null ? null : (byDeviceId[deviceId] ?? null)
}

export function gfxOf(deviceId: string | null, name: string | null): string | null {
  return (
    modelOf(deviceId)?.gfx ??
    (name === null ? null : (byName.find(([pattern]) => pattern.test(name))?.[1] ?? null))
  )
}

/** Null when neither the target nor the name tells. */
export function isIntegrated(gfx: string | null, name: string | null): boolean | null {
  if (name !== null && /MI300A\b/.test(name)) return true
  if (gfx !== null) return integratedTargets.has(gfx)
  return name !== null && /Radeon Graphics$/.test(name) ? true : null
}

/** A name that says less than the device id: firmware without a marketing name prints these. */
export function isVague(name: string | null): boolean {
  return name === null || /^(AMD )?Radeon Graphics$|^ip discovery$|^0x[0-9a-f]+$/i.test(name)
}
