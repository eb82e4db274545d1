/**
 * Memory bandwidth by specification, in GB/s (powers of ten), for the devices that Motley's users
 * have. Sources: the vendors' specifications as collected with the speeds that the emulator uses.
 * A name that is not here has no figure: bandwidth differs too much within a family to be guessed.
 */
import type { Vendor } from '#core/device.ts'

type Row = readonly [name: RegExp, gigabytesPerSecond: number]

/** The first name that fits counts, so longer names stand before the shorter ones they contain. */
const rows: Readonly<Partial<Record<Vendor, readonly Row[]>>> = {
  nvidia: [
    [/\bH200\b/, 4_800],
    [/\bH100 PCIe/i, 2_000],
    [/\bH100\b.*HBM3/i, 3_350],
    [/\bA100.*40GB/i, 1_555],
    [/\bA100-PCIE-80GB|A100 80GB PCIe/i, 1_935],
    [/\bA100-SXM.*80GB/i, 2_039],
    [/\bL40S\b/, 864],
    [/\bL4\b/, 300],
    [/\bT4\b/, 320],
    [/\bP40\b/, 347],
    [/\bA40\b/, 696],
    [/RTX PRO 6000 Blackwell/, 1_792],
    [/RTX 6000 Ada/, 960],
    [/RTX A6000/, 768],
    [/RTX 5090\b(?! Laptop)/, 1_792],
    [/RTX 5080\b(?! Laptop)/, 960],
    [/RTX 5070 Ti\b(?! Laptop)/, 896],
    [/RTX 5070\b(?! Laptop)/, 672],
    [/RTX 4090\b(?! Laptop)/, 1_008],
    [/RTX 4080\b(?! Laptop| SUPER)/, 717],
    [/RTX 4070 Ti SUPER/, 672],
    [/RTX 4070 Ti\b(?! Laptop)/, 504],
    [/RTX 3090\b(?! Ti)/, 936],
    [/RTX 3070\b(?! Ti| Laptop)/, 448],
    [/RTX 2080 SUPER/, 496],
    [/RTX 2070\b/, 448],
    [/GTX 1070 Ti/, 256],
    [/\bGB10\b/, 273],
  ],
  amd: [
    [/MI325X/, 6_000],
    [/MI300[XA]/, 5_300],
    [/MI210/, 1_638],
    [/MI100/, 1_229],
    [/MI50\b/, 1_024],
    [/RX 7900 XTX/, 960],
    [/RX 7900 XT\b/, 800],
    [/PRO W7900/, 864],
    [/RX 7800 XT/, 624],
    [/RX 6700\/6700 XT|RX 6700 XT/, 384],
    [/RX 6600 XT/, 256],
    [/Strix Halo|8060S|8050S|gfx1151/, 256],
    [/780M/, 90],
    [/680M/, 77],
  ],
  apple: [
    [/M1 Ultra/, 800],
    [/M1 Max/, 400],
    [/M1 Pro/, 200],
    [/M1\b/, 68],
    [/M2 Ultra/, 800],
    [/M2 Max/, 400],
    [/M2 Pro/, 200],
    [/M2\b/, 100],
    [/M3 Ultra/, 819],
    [/M3 Pro/, 150],
    [/M3\b(?! Max)/, 100], // an M3 Max has 300 or 400, by its cores
    [/M4 Pro/, 273],
    [/M4\b(?! Max)/, 120], // an M4 Max has 410 or 546
    [/M5\b(?! Pro| Max| Ultra)/, 153],
  ],
  intel: [
    [/A770/, 560],
    [/B580/, 456],
    [/B70\b/, 608],
    [/B60\b/, 456],
  ],
}

export function nominalBandwidth(vendor: Vendor, nameAndArchitecture: string): number | null {
  const row = rows[vendor]?.find(([pattern]) => pattern.test(nameAndArchitecture))
  return row === undefined ? null : row[1] * 1e9
}
