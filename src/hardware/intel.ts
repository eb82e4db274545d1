/** Intel GPUs, Arc, Flex, Max and those in CPUs: the kernel's files, xpu-smi, sycl-ls, clinfo. */
import { readClinfo, readIntelGpuTop, readSyclLs } from '#hardware/intel/compute-runtime.ts'
import { intelGpu } from '#hardware/intel/gpu.ts'
import { readXpuSmi } from '#hardware/intel/xpu-smi.ts'
import type {
  Captured,
  CommandSource,
  PartialDevice,
  Probe,
  SourceDevices,
} from '#hardware/probe.ts'
import { outputOf, runProblems, runsOf } from '#hardware/probe-answers.ts'
import {
  celsiusIn,
  gpuBytes,
  numberIn,
  versionIn,
  wattsIn,
  withoutAnsi,
} from '#hardware/probe-fields.ts'
import { readNvtop } from '#hardware/probe-nvtop.ts'
import { drmFiles, drmLinks, pciFiles, pciGpus, pciLinks } from '#hardware/probe-pci.ts'

const vendorId = '0x8086'

const xpuSmi = (...args: readonly string[]): CommandSource => ({
  command: 'xpu-smi',
  args,
  timeoutMs: 5_000,
})

/** The short list has no memory, so each device is asked for its own page. */
const devicesMax = 16

export const intel: Probe = {
  vendor: 'intel',
  commands: [
    xpuSmi('discovery', '-j'),
    xpuSmi('topology', '-m'),
    { command: 'sycl-ls', args: [], timeoutMs: 5_000 },
    { command: 'clinfo', args: ['--json'], timeoutMs: 5_000 },
    { command: 'nvtop', args: ['--snapshot'], timeoutMs: 2_000 },
  ],
  recordedCommands: ['intel_gpu_top'],
  files: [
    ...pciFiles,
    ...drmFiles,
    '/sys/class/drm/card#/lmem_total_bytes',
    '/sys/class/drm/card#/lmem_avail_bytes',
    '/sys/class/drm/card#/device/hwmon/hwmon#/temp1_input',
    '/sys/class/drm/card#/device/hwmon/hwmon#/power1_max',
    '/sys/module/i915/version',
    '/proc/sys/kernel/osrelease',
  ],
  links: [...pciLinks, ...drmLinks],
  followUps(captured) {
    const known = runsOf(captured, 'xpu-smi').flatMap((run) =>
      (readXpuSmi(outputOf(run))?.devices ?? []).map(({ index }) => index),
    )
    const indexes = [...new Set(known)].filter((index) => index != null).slice(0, devicesMax)
    return indexes.map((index) => xpuSmi('discovery', '-d', String(index), '-j'))
  },
  read(captured) {
    const answers = runsOf(captured, 'xpu-smi').flatMap(
      (run) => readXpuSmi(withoutAnsi(outputOf(run))) ?? [],
    )
    const levelZero = answers.find((answer) => answer.levelZero !== null)?.levelZero ?? null
    const texts = (command: string): string[] => runsOf(captured, command).map(outputOf)
    const sources: SourceDevices[] = [
      ...answers.map(({ devices }) => ({ devices })),
      ...texts('sycl-ls').map((text) => ({ devices: readSyclLs(text) })),
      { devices: readFiles(captured) },
      ...texts('clinfo').map((text) => ({ devices: readClinfo(text) })),
      ...texts('intel_gpu_top').map((text) => ({ devices: readIntelGpuTop(text) })),
      ...texts('nvtop').map((text) => ({ devices: readNvtop(text, 'intel'), lastResort: true })),
    ]
    return {
      sources: sources
        .filter(({ devices }) => devices.length > 0)
        .map(({ devices, ...source }) => ({
          ...source,
          devices: devices.map((device) => ({
            ...device,
            runtimes: { levelZero: device.runtimes?.levelZero ?? levelZero },
          })),
        })),
      problems: runProblems(captured, ['xpu-smi', 'sycl-ls', 'clinfo']),
    }
  },
}

function readFiles(captured: Captured): PartialDevice[] {
  const { files } = captured
  const kernel = versionIn(files.get('/proc/sys/kernel/osrelease'))
  return pciGpus(captured, vendorId).map(({ bus, deviceId, numaNode, driver, folder, card }) => {
    const sensor = (name: string): number | null =>
      numberIn(
        [...files].find(
          ([path]) => path.startsWith(`${folder}/hwmon/`) && path.endsWith(name),
        )?.[1],
      )
    const totalBytes = gpuBytes(files.get(`${card}/lmem_total_bytes`), 'B')
    const freeBytes = gpuBytes(files.get(`${card}/lmem_avail_bytes`), 'B')
    const [temperature, limit] = [sensor('/temp1_input'), sensor('/power1_max')]
    return intelGpu({
      identity: { bus },
      pciDeviceId: deviceId,
      numaNode,
      driverVersion:
        driver === null ? null : (versionIn(files.get('/sys/module/i915/version')) ?? kernel),
      temperatureCelsius: temperature === null ? null : celsiusIn(temperature / 1_000),
      powerLimitWatts: limit === null ? null : wattsIn(limit / 1e6),
      pool:
        totalBytes === null
          ? null
          : {
              totalBytes,
              usedBytes:
                freeBytes === null || freeBytes > totalBytes ? null : totalBytes - freeBytes,
            },
      ...(driver === null && card === null
        ? { blockedIfAlone: 'no i915 or xe driver is loaded for it' }
        : {}),
    })
  })
}
