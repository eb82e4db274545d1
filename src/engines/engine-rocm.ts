/** What ROCm has code for, whatever the engine. */

/**
 * Relatives of AMD's GPUs whose code runs on them. The whole generation shares an instruction set;
 * only some members get libraries of their own.
 */
export const gfxRelatives: Readonly<Record<string, string>> = {
  gfx1031: '10.3.0',
  gfx1032: '10.3.0',
  gfx1033: '10.3.0',
  gfx1034: '10.3.0',
  gfx1035: '10.3.0',
  gfx1036: '10.3.0',
  gfx1103: '11.0.0',
  gfx1152: '11.5.1',
}

/** What the libraries of ROCm 7 have code for, and with them PyTorch: engines that say no more. */
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
