/**
 * AMD GPUs, Instinct, Radeon and the ones in Ryzens: the kernel's own files first, because they need
 * no tool and tell the truth about gfx targets; then amd-smi, rocm-smi and amdgpu_top.
 */
import type { Problem } from '#core/device.ts'
import {
  readAmdSmiJson,
  readAmdSmiTable,
  readAmdSmiTopology,
  readAmdSmiVersion,
} from '#hardware/amd/amd-smi.ts'
import { readAmdgpuTop } from '#hardware/amd/amdgpu-top.ts'
import { amdDrmFiles, amdVendorId, readDrm } from '#hardware/amd/drm.ts'
import { kfdFiles, readKfd } from '#hardware/amd/kfd.ts'
import { gfxOf } from '#hardware/amd/names.ts'
import { readRocmSmi } from '#hardware/amd/rocm-smi.ts'
import type {
  Captured,
  CommandSource,
  PartialDevice,
  Probe,
  SourceDevices,
} from '#hardware/probe.ts'
import {
  outputOf,
  runProblems,
  runsOf,
  unreadableProblem,
  wordsOf,
} from '#hardware/probe-answers.ts'
import { versionIn, withoutAnsi } from '#hardware/probe-fields.ts'
import { readGpustack } from '#hardware/probe-gpustack.ts'
import { readNvtop } from '#hardware/probe-nvtop.ts'
import { drmFiles, drmLinks, pciFiles, pciGpus, pciLinks } from '#hardware/probe-pci.ts'
import { parseJson } from '#std/parse-json.ts'

const amdSmi = (...args: readonly string[]): CommandSource => ({
  command: 'amd-smi',
  args,
  timeoutMs: 10_000,
})

export const amd: Probe = {
  vendor: 'amd',
  commands: [
    amdSmi('static', '--asic', '--bus', '--vram', '--driver', '--numa', '--limit', '--json'),
    amdSmi('metric', '--usage', '--mem-usage', '--power', '--temperature', '--json'),
    amdSmi('list', '--json'),
    amdSmi('topology', '--json'),
    amdSmi('version', '--json'),
    {
      command: 'rocm-smi',
      args: [
        '--showid',
        '--showproductname',
        '--showmeminfo',
        'vram',
        'gtt',
        '--showuse',
        '--showtemp',
        '--showpower',
        '--showbus',
        '--showdriverversion',
        '--json',
      ],
      timeoutMs: 10_000,
    },
    { command: 'amdgpu_top', args: ['-d', '-J'], timeoutMs: 3_000 },
    { command: 'nvtop', args: ['--snapshot'], timeoutMs: 2_000 },
  ],
  recordedCommands: ['gpustack-runtime'],
  files: [
    ...pciFiles,
    ...drmFiles,
    ...amdDrmFiles,
    ...kfdFiles,
    '/sys/module/amdgpu/version',
    '/proc/sys/kernel/osrelease',
    '/opt/rocm/.info/version',
    '/opt/rocm-*/.info/version',
  ],
  links: [...pciLinks, ...drmLinks],
  variables: ['HSA_OVERRIDE_GFX_VERSION'],
  read(captured) {
    const kfd = readKfd(captured.files)
    const drm = readDrm(captured)
    const told = readTools(captured)
    const fileSources: SourceDevices[] = [{ devices: kfd }, { devices: drm }]
    // KFD knows addresses and HIP's order; the rest completes it.
    const sources = [...fileSources, ...told.sources].filter(({ devices }) => devices.length > 0)
    const driverVersion = driverVersionOf(captured, told, drm.length > 0)
    const rocm = rocmVersionOf(captured) ?? told.rocmVersion
    return {
      sources: sources.map(({ devices, ...source }) => ({
        ...source,
        devices: devices.map((device) => ({
          ...device,
          driverVersion: driverVersion ?? device.driverVersion ?? null,
          architecture: device.architecture ?? gfxOf(null, device.name ?? null),
          runtimes: { rocm: rocm ?? device.runtimes?.rocm ?? null },
        })),
      })),
      problems: [
        ...runProblems(captured, ['amd-smi', 'rocm-smi']),
        ...(sources.length === 0 ? told.problems : []),
        ...driverProblems(captured, kfd),
      ],
    }
  },
}

interface Told {
  readonly sources: SourceDevices[]
  readonly driverVersion: string | null
  readonly rocmVersion: string | null
  readonly problems: Problem[]
}

/** Each answer by what it looks like; the order of the ranks is the order of trust. */
function readTools(captured: Captured): Told {
  const ranked: { rank: number; source: SourceDevices }[] = []
  const problems: Problem[] = []
  const versions: { driver: string | null; rocm: string | null }[] = []
  const add = (rank: number, devices: readonly PartialDevice[], lastResort = false): void => {
    if (devices.length > 0) ranked.push({ rank, source: { devices, lastResort } })
  }
  for (const run of runsOf(captured, 'amd-smi', 'rocm-smi')) {
    const text = withoutAnsi(outputOf(run))
    const json = parseJson(text.slice(Math.max(0, text.search(/[[{]/))))
    const gpus = readAmdSmiJson(json)
    const rocm = readAmdSmiVersion(json)
    const cards = gpus === null ? readRocmSmi(text) : null
    if (gpus !== null) add(1, gpus)
    else if (rocm !== null) versions.push({ driver: null, rocm })
    else if (cards !== null) {
      versions.push({ driver: cards.driverVersion, rocm: null })
      add(2, cards.devices)
    } else if (/\| AMD-SMI \S+/.test(text)) {
      const table = readAmdSmiTable(text)
      versions.push({ driver: null, rocm: table.rocmVersion })
      add(4, table.devices)
    } else if (/LINK TYPE TABLE:/.test(text)) add(5, readAmdSmiTopology(text))
    else problems.push(...failureOf(captured, run))
  }
  for (const run of runsOf(captured, 'amdgpu_top')) {
    const top = readAmdgpuTop(outputOf(run))
    versions.push({ driver: null, rocm: top.rocm })
    add(3, top.devices)
  }
  for (const run of runsOf(captured, 'gpustack-runtime')) {
    add(6, readGpustack(outputOf(run), 'amd'), true)
  }
  for (const run of runsOf(captured, 'nvtop')) add(7, readNvtop(outputOf(run), 'amd'), true)
  return {
    sources: ranked.sort((one, other) => one.rank - other.rank).map(({ source }) => source),
    driverVersion: versions.find(({ driver }) => driver !== null)?.driver ?? null,
    rocmVersion: versions.find(({ rocm }) => rocm !== null)?.rocm ?? null,
    problems: problems.slice(0, 1),
  }
}

function failureOf(captured: Captured, run: Captured['runs'][number]): Problem[] {
  // Without an AMD GPU the tool may say what it likes.
  if (pciGpus(captured, amdVendorId).length === 0 && wordsOf(run) === '') return []
  const problem = unreadableProblem(run)
  return problem === null ? [] : [problem]
}

/** The packaged driver has a version; the one of the kernel's tree has that of the kernel. */
function driverVersionOf(
  { files }: Captured,
  { driverVersion }: Told,
  hasDrm: boolean,
): string | null {
  const packaged = versionIn(files.get('/sys/module/amdgpu/version'))
  const kernel = versionIn(files.get('/proc/sys/kernel/osrelease'))
  return packaged ?? driverVersion ?? (hasDrm ? kernel : null)
}

function rocmVersionOf({ files }: Captured): string | null {
  const found = [...files].find(([path]) => /^\/opt\/rocm[^/]*\/\.info\/version$/.test(path))
  return versionIn(found?.[1])
}

function driverProblems(captured: Captured, kfd: readonly PartialDevice[]): Problem[] {
  const gpus = pciGpus(captured, amdVendorId)
  const count = gpus.length === 1 ? 'An AMD GPU is' : `${gpus.length} AMD GPUs are`
  if (gpus.some(({ driver }) => driver === null) && kfd.length === 0 && gpus.length > 0) {
    const withMemory = [...captured.files.keys()].some((path) => path.endsWith('_vram_total'))
    if (withMemory) return []
    return [
      {
        severity: 'error',
        what: `${count} there, but the amdgpu driver is not loaded.`,
        why: 'Neither ROCm nor Vulkan can use a GPU without it.',
        fix: 'Load it: sudo modprobe amdgpu. If that fails, install the kernel modules and firmware of your distribution (linux-modules-extra, linux-firmware) and reboot.',
      },
    ]
  }
  return []
}
