/** What names of NVIDIA GPUs say where a driver is too old to say it, or no driver is there. */

/** GPUs in one package with the CPU, which use its memory: DGX Spark and the Jetsons. */
export const integratedNames = /\b(GB10|Orin|Xavier|Thor|Tegra|Jetson)\b/i

/** Compute capability as sm_ number, for drivers before 510, which do not tell it. */
const architectures: readonly (readonly [RegExp, string])[] = [
  [/\bGB10\b/, 'sm_121'],
  [/\bG?B300\b/, 'sm_103'],
  [/\bG?B200\b/, 'sm_100'],
  [/\bThor\b/, 'sm_110'],
  [/RTX PRO \d000\b|RTX 50[5-9]0\b/, 'sm_120'],
  [/\b(G?H100|G?H200|H800|H20)\b/, 'sm_90'],
  [/RTX 40[5-9]0\b|\b(L4|L40S?|L20)\b|RTX \d000 (SFF )?Ada/i, 'sm_89'],
  [/\bOrin\b/, 'sm_87'],
  [/\b(A100|A800|A30)\b|GRID A100/, 'sm_80'],
  [/RTX 30[5-9]0\b|\b(A2|A10G?|A16|A40)\b|RTX A\d000/, 'sm_86'],
  [/RTX 20[5-8]0\b|\bT4G?\b|GTX 16[356]0|TITAN RTX|Quadro RTX/, 'sm_75'],
  [/\bXavier\b/, 'sm_72'],
  [/\bV100S?\b|TITAN V\b/, 'sm_70'],
  [/GTX 10[3-8]0\b|\b(P40|P4|P6)\b|TITAN Xp/i, 'sm_61'],
  [/\bP100\b/, 'sm_60'],
  [/GTX 9[5-8]0\b|\b(M40|M60)\b/, 'sm_52'],
  [/GTX 7[45]0( Ti)?\b|K2200/, 'sm_50'],
]

export function architectureOf(name: string | null): string | null {
  if (name === null) return null
  return architectures.find(([pattern]) => pattern.test(name))?.[1] ?? null
}

/** "8.9" as sm_89. */
export function architectureOfCapability(text: string | null | undefined): string | null {
  const match = /^\s*(\d{1,2})\.(\d)\s*$/.exec(text ?? '')
  return match === null ? null : `sm_${match[1]}${match[2]}`
}

/**
 * The highest CUDA that a driver branch runs, as nvidia-smi prints it. NVIDIA fixes it for the
 * life of a branch. Source: release notes; 510 to 610 are confirmed by recordings.
 */
const cudaOfBranch: readonly (readonly [branch: number, cuda: string])[] = [
  [450, '11.0'],
  [455, '11.1'],
  [460, '11.2'],
  [465, '11.3'],
  [470, '11.4'],
  [495, '11.5'],
  [510, '11.6'],
  [515, '11.7'],
  [520, '11.8'],
  [525, '12.0'],
  [530, '12.1'],
  [535, '12.2'],
  [545, '12.3'],
  [550, '12.4'],
  [555, '12.5'],
  [560, '12.6'],
  [565, '12.7'],
  [570, '12.8'],
  [575, '12.9'],
  [580, '13.0'],
  [590, '13.1'],
  [595, '13.2'],
  [610, '13.3'],
]

/** Null for branches that are newer than this list, and for those before CUDA 11. */
export function cudaOfDriver(driverVersion: string | null): string | null {
  const major = Number.parseInt(driverVersion ?? '', 10)
  const newest = cudaOfBranch.at(-1)?.[0] ?? 0
  if (!(major < newest + 5)) return null
  return cudaOfBranch.findLast(([branch]) => major >= branch)?.[1] ?? null
}
