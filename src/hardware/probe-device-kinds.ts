/**
 * Kinds of devices by their names: memory, bandwidth and computing rate by specification. What a
 * machine does not tell of its devices is filled in from here, and devices that nobody has are made
 * of it to plan with. Figures are those of the vendors as collected with published speeds; dense
 * rates in 16-bit numbers, GeForce's with 32-bit sums, Apple's as their shaders' peak.
 */
import type { Vendor } from '#core/device.ts'

export interface DeviceKindFacts {
  /** What people write for it: `rtx-4090`. */
  readonly id: string
  readonly vendor: Vendor
  readonly name: string
  /** How tools name it; null where one name stands for devices that differ, as with CPUs' memory. */
  readonly pattern: RegExp | null
  readonly architecture: string | null
  readonly memoryGibibytes: number | null
  /** Powers of ten. */
  readonly gigabytesPerSecond: number | null
  readonly teraflops: number | null
}

type Row = readonly [
  id: string,
  name: string,
  pattern: RegExp | null,
  architecture: string | null,
  memoryGibibytes: number | null,
  gigabytesPerSecond: number | null,
  teraflops: number | null,
]

/** The first pattern that fits counts, so longer names stand before the shorter ones they contain. */
const rows: Readonly<Partial<Record<Vendor, readonly Row[]>>> = {
  nvidia: [
    ['h200', 'H200', /\bH200\b/, 'sm_90', 141, 4_800, 989],
    ['h100-pcie', 'H100 PCIe', /\bH100 PCIe/i, 'sm_90', 80, 2_000, 756],
    ['h100-sxm', 'H100 80GB HBM3', /\bH100\b.*HBM3/i, 'sm_90', 80, 3_350, 989],
    ['b200', 'B200', /\bB200\b/, 'sm_100', 180, 7_700, 2_250],
    ['a100-40', 'A100 40GB', /\bA100.*40GB/i, 'sm_80', 40, 1_555, 312],
    ['a100-pcie-80', 'A100 80GB PCIe', /\bA100-PCIE-80GB|A100 80GB PCIe/i, 'sm_80', 80, 1_935, 312],
    ['a100-sxm-80', 'A100-SXM4-80GB', /\bA100-SXM.*80GB/i, 'sm_80', 80, 2_039, 312],
    ['l40s', 'L40S', /\bL40S\b/, 'sm_89', 48, 864, 362],
    ['l4', 'L4', /\bL4\b/, 'sm_89', 24, 300, 121],
    ['t4', 'Tesla T4', /\bT4\b/, 'sm_75', 16, 320, 65],
    ['tesla-p40', 'Tesla P40', /\bP40\b/, 'sm_61', 24, 347, 0.2],
    ['a40', 'A40', /\bA40\b/, 'sm_86', 48, 696, 150],
    [
      'rtx-pro-6000',
      'RTX PRO 6000 Blackwell',
      /RTX PRO 6000 Blackwell/,
      ...(['sm_120', 96, 1_792, 468] as const),
    ],
    ['rtx-6000-ada', 'RTX 6000 Ada Generation', /RTX 6000 Ada/, 'sm_89', 48, 960, 364],
    ['rtx-a6000', 'RTX A6000', /RTX A6000/, 'sm_86', 48, 768, 155],
    ['rtx-5090', 'GeForce RTX 5090', /RTX 5090\b(?! Laptop)/, 'sm_120', 32, 1_792, 210],
    ['rtx-5080', 'GeForce RTX 5080', /RTX 5080\b(?! Laptop)/, 'sm_120', 16, 960, 113],
    ['rtx-5070-ti', 'GeForce RTX 5070 Ti', /RTX 5070 Ti\b(?! Laptop)/, 'sm_120', 16, 896, 88],
    ['rtx-5070', 'GeForce RTX 5070', /RTX 5070\b(?! Laptop)/, 'sm_120', 12, 672, 62],
    ['rtx-4090', 'GeForce RTX 4090', /RTX 4090\b(?! Laptop)/, 'sm_89', 24, 1_008, 165],
    ['rtx-4080', 'GeForce RTX 4080', /RTX 4080\b(?! Laptop| SUPER)/, 'sm_89', 16, 717, 97],
    ['rtx-4070-ti-super', 'GeForce RTX 4070 Ti SUPER', /RTX 4070 Ti SUPER/, 'sm_89', 16, 672, 88],
    ['rtx-4070-ti', 'GeForce RTX 4070 Ti', /RTX 4070 Ti\b(?! Laptop)/, 'sm_89', 12, 504, 80],
    ['rtx-3090', 'GeForce RTX 3090', /RTX 3090\b(?! Ti)/, 'sm_86', 24, 936, 71],
    ['rtx-3080', 'GeForce RTX 3080', /RTX 3080\b(?! Ti| Laptop)/, 'sm_86', 10, 760, 60],
    ['rtx-3070', 'GeForce RTX 3070', /RTX 3070\b(?! Ti| Laptop)/, 'sm_86', 8, 448, 41],
    ['rtx-2080-super', 'GeForce RTX 2080 SUPER', /RTX 2080 SUPER/, 'sm_75', 8, 496, 45],
    ['rtx-2070-super', 'GeForce RTX 2070 SUPER', /RTX 2070 SUPER/, 'sm_75', 8, 448, 36],
    ['rtx-2070', 'GeForce RTX 2070', /RTX 2070\b/, 'sm_75', 8, 448, 30],
    ['gtx-1070-ti', 'GeForce GTX 1070 Ti', /GTX 1070 Ti/, 'sm_61', 8, 256, null],
    ['dgx-spark', 'GB10', /\bGB10\b/, 'sm_121', 128, 273, null],
  ],
  amd: [
    ['mi325x', 'Instinct MI325X', /MI325X/, 'gfx942', 256, 6_000, 1_307],
    ['mi300x', 'Instinct MI300X', /MI300[XA]/, 'gfx942', 192, 5_300, 1_307],
    ['mi210', 'Instinct MI210', /MI210/, 'gfx90a', 64, 1_638, 181],
    ['mi100', 'Instinct MI100', /MI100/, 'gfx908', 32, 1_229, 185],
    ['mi50', 'Instinct MI50', /MI50\b/, 'gfx906', 32, 1_024, 27],
    ['rx-7900-xtx', 'Radeon RX 7900 XTX', /RX 7900 XTX/, 'gfx1100', 24, 960, 123],
    ['rx-7900-xt', 'Radeon RX 7900 XT', /RX 7900 XT\b/, 'gfx1100', 20, 800, 103],
    ['pro-w7900', 'Radeon PRO W7900', /PRO W7900/, 'gfx1100', 48, 864, 123],
    ['rx-7800-xt', 'Radeon RX 7800 XT', /RX 7800 XT/, 'gfx1101', 16, 624, 75],
    ['rx-6700-xt', 'Radeon RX 6700 XT', /RX 6700\/6700 XT|RX 6700 XT/, 'gfx1031', 12, 384, 26],
    ['rx-6600-xt', 'Radeon RX 6600 XT', /RX 6600 XT/, 'gfx1032', 8, 256, 21],
    [
      'strix-halo',
      'Radeon 8060S (Strix Halo)',
      /Strix Halo|8060S|8050S|gfx1151/,
      ...(['gfx1151', 128, 256, 59] as const),
    ],
    ['radeon-780m', 'Radeon 780M', /780M/, 'gfx1103', 32, 90, 17],
    ['radeon-680m', 'Radeon 680M', /680M/, 'gfx1035', 32, 77, 7],
  ],
  apple: [
    ['m1-ultra', 'Apple M1 Ultra', /M1 Ultra/, 'apple7', 64, 800, 21],
    ['m1-max-32', 'Apple M1 Max', /M1 Max/, 'apple7', 64, 400, 10.4],
    ['m1-pro-16', 'Apple M1 Pro', /M1 Pro/, 'apple7', 32, 200, 5.2],
    ['m1', 'Apple M1', /M1\b/, 'apple7', 16, 68, 2.6],
    ['m2-ultra-76', 'Apple M2 Ultra', /M2 Ultra/, 'apple8', 192, 800, 27.2],
    ['m2-max-38', 'Apple M2 Max', /M2 Max/, 'apple8', 96, 400, 13.6],
    ['m2-pro-16', 'Apple M2 Pro', /M2 Pro/, 'apple8', 32, 200, 5.7],
    ['m2-10', 'Apple M2', /M2\b/, 'apple8', 24, 100, 3.6],
    ['m3-ultra', 'Apple M3 Ultra', /M3 Ultra/, 'apple9', 512, 819, 28.4],
    // Cores are in no tool's name: an M3 Max has 300 or 400 GB/s by them, an M4 Max 410 or 546.
    ['m3-max-40', 'Apple M3 Max (40 GPU cores)', /M3 Max \(40/, 'apple9', 128, 400, 14.2],
    ['m3-pro-18', 'Apple M3 Pro', /M3 Pro/, 'apple9', 36, 150, 6.4],
    ['m3-10', 'Apple M3', /M3\b(?! Max)/, 'apple9', 24, 100, 3.5],
    ['m4-max-40', 'Apple M4 Max (40 GPU cores)', /M4 Max \(40/, 'apple9', 128, 546, 17.2],
    ['m4-pro-20', 'Apple M4 Pro', /M4 Pro/, 'apple9', 64, 273, 8.6],
    ['m4-10', 'Apple M4', /M4\b(?! Max)/, 'apple9', 32, 120, 4.3],
    ['m5', 'Apple M5', /M5\b(?! Pro| Max| Ultra)/, 'apple10', 32, 153, null],
    ['m5-max', 'Apple M5 Max', /M5 Max/, 'apple10', 128, null, null],
  ],
  intel: [
    ['arc-a770', 'Arc A770', /A770/, 'xe-hpg', 16, 560, 138],
    ['arc-b580', 'Arc B580', /B580/, 'xe2', 12, 456, 117],
    ['arc-pro-b70', 'Arc Pro B70', /B70\b/, 'xe2', 32, 608, null],
    ['arc-pro-b60', 'Arc Pro B60', /B60\b/, 'xe2', 24, 456, 98],
  ],
  // Bandwidth is that of their modules, which differ: only devices that are made up have it.
  cpu: [
    ['ryzen-7950x', 'AMD Ryzen 9 7950X', null, 'x86_64', 64, 80, null],
    ['ryzen-7840hs', 'AMD Ryzen 7 7840HS', null, 'x86_64', 32, 90, null],
    ['tr-5975wx', 'AMD Threadripper PRO 5975WX', null, 'x86_64', 256, 205, null],
    ['epyc-9334', 'AMD EPYC 9334', null, 'x86_64', 384, 461, null],
    ['epyc-9554', 'AMD EPYC 9554', null, 'x86_64', 768, 461, null],
    ['xeon-spr-44', 'Intel Xeon (Sapphire Rapids, 22 cores)', null, 'x86_64', 176, null, null],
    ['m2-max-cpu', 'Apple M2 Max (CPU)', null, 'arm64', 96, 400, null],
    ['oryon-o6', 'Radxa Orion O6', null, 'arm64', 64, 96, null],
  ],
}

export const deviceKinds: readonly DeviceKindFacts[] = Object.entries(rows).flatMap(
  ([vendor, ofVendor]) =>
    ofVendor.map(
      ([id, name, pattern, architecture, memoryGibibytes, gigabytesPerSecond, teraflops]) => ({
        vendor: vendor as Vendor,
        ...{ id, name, pattern, architecture, memoryGibibytes, gigabytesPerSecond, teraflops },
      }),
    ),
)

/** Null for a name that is in no row: what nobody has looked up is not guessed. */
export function deviceKindOf(vendor: Vendor, nameAndArchitecture: string): DeviceKindFacts | null {
  const ofVendor = deviceKinds.filter((kind) => kind.vendor === vendor)
  return (
    ofVendor.find(({ pattern }) => pattern?.test(nameAndArchitecture) === true) ??
    ofVendor.find(({ name }) => nameAndArchitecture.startsWith(`${name} `)) ??
    null
  )
}

/** Of devices whose name says how fast their memory is: of a CPU it depends on its modules. */
export function nominalBandwidth(vendor: Vendor, nameAndArchitecture: string): number | null {
  if (vendor === 'cpu') return null
  const bandwidth = deviceKindOf(vendor, nameAndArchitecture)?.gigabytesPerSecond ?? null
  return bandwidth === null ? null : bandwidth * 1e9
}
