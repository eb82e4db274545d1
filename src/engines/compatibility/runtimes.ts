/** Drivers, CUDA, ROCm: what needs which, whatever the engine. Data, each with its source. */

import type { DriverLevels } from '#core/driver-levels.ts'
import type { ArchitectureRelative, Minimums } from '#core/engine-build.ts'

/**
 * The oldest drivers of each CUDA family: a program built with any CUDA of a family runs on all of
 * them. Source: NVIDIA, "CUDA Compatibility", minor version compatibility.
 */
export const cudaFamilies = [
  { cuda: '11.0', drivers: { linux: '450.80.02', windows: '452.39' } },
  { cuda: '12.0', drivers: { linux: '525.60.13', windows: '528.33' } },
  { cuda: '13.0', drivers: { linux: '580.65.06', windows: '580' } },
] as const

/**
 * The newest CUDA that each driver branch runs, which is what `nvidia-smi` prints at its top.
 * Source: release notes of the CUDA toolkits; recordings confirm 510, 515, 525, 535, 580, 590, 595.
 */
export const driverBranches: readonly { readonly branch: number; readonly cuda: string }[] = [
  { branch: 450, cuda: '11.0' },
  { branch: 455, cuda: '11.1' },
  { branch: 460, cuda: '11.2' },
  { branch: 465, cuda: '11.3' },
  { branch: 470, cuda: '11.4' },
  { branch: 495, cuda: '11.5' },
  { branch: 510, cuda: '11.6' },
  { branch: 515, cuda: '11.7' },
  { branch: 520, cuda: '11.8' },
  { branch: 525, cuda: '12.0' },
  { branch: 530, cuda: '12.1' },
  { branch: 535, cuda: '12.2' },
  { branch: 545, cuda: '12.3' },
  { branch: 550, cuda: '12.4' },
  { branch: 555, cuda: '12.5' },
  { branch: 560, cuda: '12.6' },
  { branch: 565, cuda: '12.7' },
  { branch: 570, cuda: '12.8' },
  { branch: 575, cuda: '12.9' },
  { branch: 580, cuda: '13.0' },
  { branch: 590, cuda: '13.1' },
  { branch: 595, cuda: '13.2' },
]

/** What a build needs: a CUDA family by its first version, or what came with a later one. */
export function needsCuda(cuda: string): Minimums {
  const family = cudaFamilies.find((one) => one.cuda === cuda)
  if (family !== undefined) return { drivers: family.drivers, runtimes: { cuda } }
  const branch = driverBranches.find((one) => one.cuda === cuda)
  if (branch === undefined) throw new RangeError(`no driver is known for CUDA ${cuda}`)
  const driver = String(branch.branch)
  return { drivers: { linux: driver, windows: driver }, runtimes: { cuda } }
}

function relative(architecture: string, value: string): ArchitectureRelative {
  return { architecture, variable: 'HSA_OVERRIDE_GFX_VERSION', value }
}

const rdna2 = relative('gfx1030', '10.3.0')

/**
 * Relatives of AMD's GPUs whose code runs on them: a generation shares an instruction set, and only
 * some members get libraries of their own. Source: what users of ROCm, Ollama and llama.cpp report.
 */
export const gfxRelatives: Readonly<Record<string, ArchitectureRelative>> = {
  gfx90c: relative('gfx900', '9.0.0'),
  gfx1031: rdna2,
  gfx1032: rdna2,
  gfx1033: rdna2,
  gfx1034: rdna2,
  gfx1035: rdna2,
  gfx1036: rdna2,
  gfx1102: relative('gfx1100', '11.0.0'),
  gfx1103: relative('gfx1100', '11.0.0'),
  gfx1152: relative('gfx1151', '11.5.1'),
}

/** Relatives whose own code is in this list; the code of the others is not there to be run. */
export function relativesOf(
  names: readonly string[],
): Readonly<Record<string, ArchitectureRelative>> {
  return Object.fromEntries(
    Object.entries(gfxRelatives).filter(
      ([name, { architecture }]) => names.includes(architecture) && !names.includes(name),
    ),
  )
}

/**
 * What the libraries of ROCm 7 have code for, and with them PyTorch: engines that say no more.
 * Source: ROCm's compatibility matrix; its pages for Radeon and Ryzen from gfx1102 on.
 */
export const rocmLibraryNames: readonly string[] = [
  'gfx908',
  'gfx90a',
  'gfx942',
  'gfx950',
  'gfx1030',
  'gfx1100',
  'gfx1101',
  'gfx1102',
  'gfx1150',
  'gfx1151',
  'gfx1200',
  'gfx1201',
]

export const driverLevels: DriverLevels = {
  cudaFamilies,
  driverBranches,
  relatives: gfxRelatives,
}
