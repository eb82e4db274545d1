/**
 * Macs. On Apple silicon there is one GPU, and its memory is that of the machine; an Intel Mac may
 * have a card of AMD, which only Metal can use.
 */
import { readIoreg, readPowermetrics } from '#hardware/apple/gpu-load.ts'
import { type MacGpu, readDisplays, readHardware } from '#hardware/apple/system-profiler.ts'
import type { Captured, CommandSource, PartialDevice, Probe } from '#hardware/probe.ts'
import { outputOf, runProblems, runsOf } from '#hardware/probe-answers.ts'
import {
  bytesPerMiB,
  celsiusIn,
  countIn,
  fieldsOf,
  gpuBytes,
  hexIdIn,
  listOf,
  nameIn,
  nodeBytes,
  numberIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'
import { readSysctl, readVmStat } from '#hardware/probe-macos.ts'
import { parseJson } from '#std/parse-json.ts'

const ask = (command: string, ...args: readonly string[]): CommandSource => ({
  command,
  args,
  timeoutMs: 5_000,
})

export const apple: Probe = {
  vendor: 'apple',
  commands: [
    ask(
      'sysctl',
      'machdep.cpu.brand_string',
      'hw.memsize',
      'hw.model',
      'kern.osproductversion',
      'iogpu.wired_limit_mb',
      'sysctl.proc_translated',
    ),
    ask('system_profiler', 'SPDisplaysDataType', '-json'),
    ask('vm_stat'),
    ask('ioreg', '-r', '-c', 'IOAccelerator', '-d', '1'),
    ask('macmon', 'pipe', '-s', '1'),
  ],
  recordedCommands: ['powermetrics', 'applegpuinfo'],
  files: [],
  read(captured) {
    const facts = gather(captured)
    const chipGpu = facts.gpus.find(({ isApple }) => isApple) ?? null
    const cards = facts.gpus.filter(({ isApple }) => !isApple)
    const isSilicon = chipGpu !== null || /^Apple /.test(facts.chip ?? '') || facts.isLoadOfApple
    return {
      sources: [
        { devices: isSilicon ? [siliconGpu(facts, chipGpu)] : [] },
        { devices: cards.flatMap((card, index) => cardOf(card, index) ?? []) },
      ],
      problems: runProblems(captured, ['system_profiler']),
    }
  },
}

interface Facts {
  readonly chip: string | null
  readonly gpus: readonly MacGpu[]
  readonly memoryBytes: number | null
  readonly usedBytes: number | null
  readonly limitBytes: number | null
  readonly osVersion: string | null
  readonly cores: number | null
  readonly utilizationRatio: number | null
  readonly powerWatts: number | null
  readonly temperatureCelsius: number | null
  /** Only Apple silicon can be measured in this way. */
  readonly isLoadOfApple: boolean
}

function gather(captured: Captured): Facts {
  const texts = (...commands: readonly string[]): string[] =>
    runsOf(captured, ...commands).map(outputOf)
  const sysctl = new Map(texts('sysctl').flatMap((text) => [...readSysctl(text)]))
  const profiles = texts('system_profiler')
  // People paste several commands into one file.
  const displays = [...profiles, ...texts('sysctl')].flatMap(readDisplays)
  const hardware = profiles.map(readHardware).find((one) => one !== null) ?? null
  const info =
    texts('applegpuinfo')
      .map(readGpuInfo)
      .find((one) => one !== null) ?? null
  const macmon =
    texts('macmon')
      .map(readMacmon)
      .find((one) => one !== null) ?? null
  const load = [
    ...texts('powermetrics').map(readPowermetrics),
    ...texts('ioreg').map(readIoreg),
  ].find((one) => one !== null)
  const chip = nameIn(sysctl.get('machdep.cpu.brand_string')) ?? hardware?.chip ?? null
  const limitMiB = numberIn(sysctl.get('iogpu.wired_limit_mb'))
  return {
    chip: chip ?? info?.name ?? null,
    gpus: displays,
    memoryBytes:
      nodeBytes(sysctl.get('hw.memsize')) ??
      hardware?.memoryBytes ??
      macmon?.totalBytes ??
      info?.memoryBytes ??
      null,
    usedBytes:
      texts('vm_stat')
        .map(readVmStat)
        .find((one) => one !== null) ??
      macmon?.usedBytes ??
      null,
    // 0 says that macOS decides.
    limitBytes: limitMiB ? gpuBytes(limitMiB * bytesPerMiB, 'B') : null,
    osVersion: versionIn(sysctl.get('kern.osproductversion')),
    cores: info?.cores ?? null,
    utilizationRatio: load?.utilizationRatio ?? macmon?.utilizationRatio ?? null,
    powerWatts: load?.powerWatts ?? macmon?.powerWatts ?? null,
    temperatureCelsius: macmon?.temperatureCelsius ?? null,
    isLoadOfApple: macmon !== null || texts('powermetrics').some((text) => readPowermetrics(text)),
  }
}

function siliconGpu(facts: Facts, gpu: MacGpu | null): PartialDevice {
  const name = gpu?.name ?? facts.chip
  const { memoryBytes, usedBytes, limitBytes } = facts
  return {
    vendor: 'apple',
    identity: { numbers: ['metal:0'] },
    index: 0,
    name,
    integrated: true,
    unifiedMemory: true,
    architecture: familyOf(name),
    computeUnits: gpu?.cores ?? facts.cores,
    driverVersion: facts.osVersion,
    runtimes: { metal: gpu?.metal ?? null },
    memory: {
      unified: memoryBytes === null ? null : { totalBytes: memoryBytes, usedBytes },
      limitBytes,
    },
    utilizationRatio: facts.utilizationRatio,
    powerWatts: facts.powerWatts,
    temperatureCelsius: facts.temperatureCelsius,
  }
}

/** GPU families as Metal counts them: M1 is Apple7, M3 and M4 are Apple9. */
function familyOf(name: string | null): string | null {
  const generation = /\bM(\d)\b/.exec(name ?? '')?.[1]
  return (
    { 1: 'apple7', 2: 'apple8', 3: 'apple9', 4: 'apple9', 5: 'apple10' }[generation ?? ''] ?? null
  )
}

function cardOf(gpu: MacGpu, index: number): PartialDevice | null {
  if (gpu.name === null) return null
  const vendor = /\bamd\b|radeon|0x1002/i.test(`${gpu.name} ${gpu.vendorName}`)
    ? 'amd'
    : /intel/i.test(`${gpu.name} ${gpu.vendorName}`)
      ? 'intel'
      : 'other'
  const integrated = vendor === 'intel'
  const pool = gpu.memoryBytes === null ? null : { totalBytes: gpu.memoryBytes, usedBytes: null }
  return {
    vendor,
    identity: { numbers: [`mac-display:${index}`] },
    index,
    name: gpu.name,
    pciDeviceId: hexIdIn(gpu.pciDeviceId),
    integrated,
    unifiedMemory: integrated,
    runtimes: { metal: gpu.metal },
    memory: integrated ? { shared: pool } : { dedicated: pool },
  }
}

/** The tool of that name by Philip Turner; its bandwidth is known to be wrong for newer chips. */
function readGpuInfo(
  text: string,
): { name: string | null; cores: number | null; memoryBytes: number | null } | null {
  const line = (title: string): string | undefined =>
    new RegExp(`^${title}: (.+)$`, 'm').exec(text)?.[1]
  const name = nameIn(line('GPU name'))
  if (name === null) return null
  return {
    name,
    cores: countIn(line('GPU core count'), 1e4),
    memoryBytes: nodeBytes(line('GPU memory')),
  }
}

interface Macmon {
  readonly totalBytes: number | null
  readonly usedBytes: number | null
  readonly utilizationRatio: number | null
  readonly powerWatts: number | null
  readonly temperatureCelsius: number | null
}

/** `macmon pipe`: a line of JSON for each sample. */
function readMacmon(text: string): Macmon | null {
  const fields = fieldsOf(parseJson(text.split(/\r?\n/)[0] ?? ''))
  const memory = fieldsOf(fields['memory'])
  const totalBytes = nodeBytes(memory['ram_total'])
  if (totalBytes === null) return null
  const busy = numberIn(listOf(fields['gpu_usage'])[1])
  return {
    totalBytes,
    usedBytes: nodeBytes(memory['ram_usage']),
    utilizationRatio: busy !== null && busy >= 0 && busy <= 1 ? busy : null,
    powerWatts: wattsIn(fields['gpu_power']),
    temperatureCelsius: celsiusIn(fieldsOf(fields['temp'])['gpu_temp_avg']),
  }
}
