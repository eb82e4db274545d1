/** NVIDIA GPUs: nvidia-smi, which ships with every driver, and the driver's own files. */
import type { Problem } from '#core/device.ts'
import { architectureOf, cudaOfDriver } from '#hardware/nvidia/names.ts'
import { smiFailures } from '#hardware/nvidia/smi-failures.ts'
import {
  readList,
  readNvlink,
  readTopology,
  readVersions,
  type SmiVersions,
} from '#hardware/nvidia/smi-lists.ts'
import { migIsEmpty, migIsOn, readTextLog, readXmlLog } from '#hardware/nvidia/smi-log.ts'
import { type ComputeApp, readComputeApps, readQueryGpu } from '#hardware/nvidia/smi-query.ts'
import { readSmiTable } from '#hardware/nvidia/smi-table.ts'
import type { Captured, CommandRun, PartialDevice, Probe, SourceDevices } from '#hardware/probe.ts'
import {
  isInstalled,
  outputOf,
  runProblems,
  runsOf,
  unreadableProblem,
  wordsOf,
} from '#hardware/probe-answers.ts'
import { busIdIn, nameIn, nodeBytes, versionIn, withoutAnsi } from '#hardware/probe-fields.ts'
import { readGpustack } from '#hardware/probe-gpustack.ts'
import { readNvtop } from '#hardware/probe-nvtop.ts'
import { pciFiles, pciGpus, pciLinks } from '#hardware/probe-pci.ts'

const vendorId = '0x10de'

/**
 * Fields that every driver since 470 knows: one unknown name makes the whole query fail. What newer
 * drivers tell beyond them comes from the XML.
 */
const coreFields =
  'index,name,uuid,pci.bus_id,driver_version,memory.total,memory.used,memory.free,utilization.gpu,temperature.gpu,power.draw,power.limit,mig.mode.current,compute_mode'
const newerFields = 'index,uuid,pci.bus_id,compute_cap,memory.reserved,pcie.link.gen.max'

const smi = (...args: readonly string[]) => ({ command: 'nvidia-smi', args, timeoutMs: 10_000 })

export const nvidia: Probe = {
  vendor: 'nvidia',
  commands: [
    smi(`--query-gpu=${coreFields}`, '--format=csv'),
    smi(`--query-gpu=${newerFields}`, '--format=csv'),
    smi('-q', '-x'),
    smi('-L'),
    smi('--version'),
    smi('topo', '-m'),
    smi('nvlink', '-s'),
    smi(),
    { command: 'nvtop', args: ['--snapshot'], timeoutMs: 2_000 },
  ],
  recordedCommands: ['gpustack-runtime'],
  files: [
    ...pciFiles,
    '/proc/driver/nvidia/version',
    '/proc/driver/nvidia/gpus/*/information',
    '/sys/module/nvidia/version',
    '/proc/device-tree/model',
    '/proc/meminfo',
  ],
  links: pciLinks,
  read(captured) {
    const told = readSmi(captured)
    const driverVersion = told.driverVersion ?? driverVersionInFiles(captured)
    const common: CommonFacts = {
      driverVersion,
      cuda: told.cudaIsAbsent ? null : (told.cudaVersion ?? cudaOfDriver(driverVersion)),
      cudaIsAbsent: told.cudaIsAbsent,
      // GPUs that are cut into instances, and by -L, XML or table have some.
      sliced: new Set(
        told.sources.flatMap(({ devices }) =>
          devices.flatMap(({ parent, index }) => (parent && index != null ? [index] : [])),
        ),
      ),
    }
    const sources = [...told.sources, ...fileSources(captured, told.anySmi)].map((source) => ({
      ...source,
      devices: source.devices.map((device) => completed(device, captured, common)),
    }))
    return {
      sources,
      problems: [
        ...runProblems(captured, ['nvidia-smi']),
        ...told.problems,
        ...migProblems(sources),
        ...cudaProblems(told),
        ...fileProblems(captured, told.anySmi),
      ],
    }
  },
}

interface Told {
  readonly sources: SourceDevices[]
  readonly driverVersion: string | null
  readonly cudaVersion: string | null
  /** The driver says that it brings no CUDA, as on FreeBSD. */
  readonly cudaIsAbsent: boolean
  readonly problems: Problem[]
  readonly anySmi: boolean
}

/** Each answer by what it looks like; the order of the ranks is the order of trust. */
function readSmi(captured: Captured): Told {
  const ranked: { rank: number; source: SourceDevices }[] = []
  const versions: SmiVersions[] = []
  const apps: ComputeApp[] = []
  const failures: Problem[] = []
  let cudaIsAbsent = false
  const add = (rank: number, devices: readonly PartialDevice[], lastResort = false): void => {
    if (devices.length > 0) ranked.push({ rank, source: { devices, lastResort } })
  }
  for (const run of runsOf(captured, 'nvidia-smi')) {
    const text = withoutAnsi(outputOf(run))
    const table = /NVIDIA-SMI \S+\s+(?:Driver|KMD) Version/.test(text)
    if (/<nvidia_smi_log/.test(text)) {
      const log = readXmlLog(text)
      versions.push(log)
      add(1, log.devices)
    } else if (/=NVSMI LOG=/.test(text)) {
      const log = readTextLog(text)
      versions.push(log)
      add(2, log.devices)
      cudaIsAbsent ||= /^CUDA Version\s*: (N\/A|Not Found)/m.test(text)
    } else if (table) {
      const log = readSmiTable(text)
      versions.push(log)
      add(
        5,
        log.devices.map((device) => withUsers(device, log.users)),
      )
      cudaIsAbsent ||= /CUDA (UMD )?Version:\s*N\/A/.test(text)
    } else if (/GPU instance profiles:/.test(text)) {
      // What MIG could be cut into; no fact about what is there.
    } else if (/^GPU \d+: .*UUID/m.test(text)) {
      add(3, readList(text))
      add(6, readNvlink(text))
    } else if (/^(DRIVER|KMD|NVML) version\s*:/im.test(text)) versions.push(readVersions(text))
    else if (/^\s*GPU0\s/m.test(text)) add(6, readTopology(text))
    else if (!addCsv(run, text)) failures.push(...failureOf(run))
  }
  for (const run of runsOf(captured, 'gpustack-runtime')) {
    add(7, readGpustack(outputOf(run), 'nvidia'), true)
  }
  for (const run of runsOf(captured, 'nvtop')) add(8, readNvtop(outputOf(run), 'nvidia'), true)

  function addCsv(run: CommandRun, text: string): boolean {
    const running = readComputeApps(text, run.args)
    if (running !== null) {
      apps.push(...running)
      return true
    }
    const gpus = readQueryGpu(text, run.args)
    if (gpus === null || gpus.devices.length === 0) return false
    versions.push({ driverVersion: gpus.driverVersion, cudaVersion: null })
    add(0, gpus.devices)
    return true
  }

  const sources = ranked.sort((one, other) => one.rank - other.rank).map(({ source }) => source)
  const known = sources.some(({ devices }) => devices.length > 0)
  return {
    sources: apps.length > 0 ? withApps(sources, apps) : sources,
    driverVersion: versions.find((one) => one.driverVersion !== null)?.driverVersion ?? null,
    cudaVersion: versions.find((one) => one.cudaVersion !== null)?.cudaVersion ?? null,
    cudaIsAbsent: cudaIsAbsent && !versions.some((one) => one.cudaVersion !== null),
    problems: known ? failures.filter(({ severity }) => severity === 'error') : unique(failures),
    anySmi: ranked.some(({ rank }) => rank <= 6),
  }
}

function unique(problems: readonly Problem[]): Problem[] {
  const seen = new Map(problems.map((problem) => [problem.what, problem]))
  const errors = [...seen.values()].filter(({ severity }) => severity === 'error')
  return errors.length > 0 ? errors : [...seen.values()].slice(0, 1)
}

/** Only a failure that nvidia-smi has words for, or a silence of all its answers, is told. */
function failureOf(run: CommandRun): Problem[] {
  const words = wordsOf(run)
  const known = smiFailures.find(({ pattern }) => pattern.test(words))
  if (known !== undefined) return [known.problem]
  const problem = unreadableProblem(run)
  return problem === null ? [] : [problem]
}

function withUsers(
  device: PartialDevice,
  users: ReadonlyMap<number, readonly NonNullable<PartialDevice['memoryUsers']>[number][]>,
): PartialDevice {
  if (device.parent) return device
  return { ...device, memoryUsers: [...(users.get(device.index ?? -1) ?? [])] }
}

/** Processes by the address of their GPU; the UUID where no address was asked for. */
function withApps(sources: readonly SourceDevices[], apps: readonly ComputeApp[]): SourceDevices[] {
  return sources.map((source) => ({
    ...source,
    devices: source.devices.map((device) => {
      const { bus, uuid } = device.identity
      const users = apps
        .filter((app) =>
          app.bus && bus ? app.bus === bus : app.uuid !== null && app.uuid === uuid,
        )
        .map(({ user }) => user)
      return users.length > 0 && !device.parent ? { ...device, memoryUsers: users } : device
    }),
  }))
}

interface CommonFacts {
  readonly driverVersion: string | null
  readonly cuda: string | null
  readonly cudaIsAbsent: boolean
  readonly sliced: ReadonlySet<number>
}

function completed(
  device: PartialDevice,
  captured: Captured,
  { driverVersion, cuda, cudaIsAbsent, sliced }: CommonFacts,
): PartialDevice {
  const unified = device.integrated === true && device.memory?.dedicated == null
  const memory = unified ? { unified: nodeMemory(captured) } : device.memory
  const empty = device.blockedBecause === migIsOn && !sliced.has(device.index ?? -1)
  return {
    ...device,
    driverVersion: driverVersion ?? device.driverVersion ?? null,
    architecture: device.architecture ?? architectureOf(device.name ?? null),
    runtimes: { cuda: cuda ?? device.runtimes?.cuda ?? null },
    ...(memory === undefined ? {} : { memory }),
    ...(empty ? { blockedBecause: migIsEmpty } : {}),
    // Vulkan would still make it useful: then it is not alone.
    ...(cudaIsAbsent ? { blockedIfAlone: 'its driver offers no CUDA' } : {}),
  }
}

function migProblems(sources: readonly SourceDevices[]): Problem[] {
  const gpus = sources.flatMap(({ devices }) =>
    devices.filter(({ blockedBecause }) => blockedBecause === migIsEmpty),
  )
  const indexes = [...new Set(gpus.map(({ index }) => index))]
  return indexes.map((index) => ({
    severity: 'error',
    what: `MIG is on for GPU ${index ?? '?'} and no instance exists.`,
    why: 'A GPU in MIG mode computes only in its instances, so nothing can run on it.',
    fix: `Create instances ("nvidia-smi mig -i ${index ?? 0} -lgip" lists the profiles, "sudo nvidia-smi mig -i ${index ?? 0} -cgi PROFILE -C" makes one), or turn MIG off: sudo nvidia-smi -i ${index ?? 0} -mig 0`,
  }))
}

function cudaProblems({ cudaIsAbsent, sources }: Told): Problem[] {
  if (!cudaIsAbsent || sources.length === 0) return []
  return [
    {
      severity: 'warning',
      what: 'The NVIDIA driver is there and offers no CUDA.',
      why: 'vLLM, SGLang and the CUDA builds of llama.cpp cannot start; this is so on FreeBSD and on vGPU hosts.',
      fix: 'Run a Vulkan build of llama.cpp (pkg install vulkan-tools vulkan-loader), or use Linux on this machine.',
    },
  ]
}

/** GB10 and the Jetsons say [N/A] for their memory: it is that of the machine. */
function nodeMemory({ files }: Captured): { totalBytes: number; usedBytes: number | null } | null {
  const text = files.get('/proc/meminfo') ?? ''
  const figure = (name: string): number | null =>
    nodeBytes(new RegExp(`^${name}:\\s*(\\d+ kB)`, 'm').exec(text)?.[1])
  const [totalBytes, available] = [figure('MemTotal'), figure('MemAvailable')]
  if (totalBytes === null) return null
  const usedBytes = available === null || available > totalBytes ? null : totalBytes - available
  return { totalBytes, usedBytes }
}

function driverVersionInFiles({ files }: Captured): string | null {
  const banner = files.get('/proc/driver/nvidia/version') ?? ''
  return (
    versionIn(files.get('/sys/module/nvidia/version')) ??
    versionIn(/NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s/.exec(banner)?.[1])
  )
}

/** What the driver and the kernel know without nvidia-smi. */
function fileSources(captured: Captured, anySmi: boolean): SourceDevices[] {
  const driver = [...captured.files].flatMap(([path, text]): PartialDevice[] => {
    const bus = busIdIn(/^\/proc\/driver\/nvidia\/gpus\/([^/]+)\/information$/.exec(path)?.[1])
    if (bus === null) return []
    const uuid = /^GPU UUID:\s*(GPU-[0-9a-f-]+)\s*$/im.exec(text)?.[1] ?? null
    return [
      {
        vendor: 'nvidia',
        identity: { bus, uuid },
        name: nameIn(/^Model:\s*(.+)$/m.exec(text)?.[1]),
      },
    ]
  })
  const hasDriver = driver.length > 0 || driverVersionInFiles(captured) !== null
  // What nvidia-smi cannot see in this container or after a fault is there, but not to be used.
  const blockedIfAlone = hasDriver
    ? 'nvidia-smi does not show it'
    : 'no NVIDIA driver is loaded for it'
  const pci = pciGpus(captured, vendorId).map(
    ({ bus, deviceId, numaNode }): PartialDevice => ({
      vendor: 'nvidia',
      identity: { bus },
      pciDeviceId: deviceId,
      numaNode,
    }),
  )
  const block = (device: PartialDevice): PartialDevice => ({ ...device, blockedIfAlone })
  const model = nameIn(captured.files.get('/proc/device-tree/model'))
  const jetson: PartialDevice[] =
    model !== null && /jetson|orin|xavier|dgx spark/i.test(model) && !anySmi
      ? [{ vendor: 'nvidia', identity: {}, name: model, integrated: true }]
      : []
  return [
    { devices: driver.map(block) },
    { devices: pci.map(block) },
    { devices: jetson, lastResort: true },
  ]
}

function fileProblems(captured: Captured, anySmi: boolean): Problem[] {
  const gpus = pciGpus(captured, vendorId)
  if (anySmi || gpus.length === 0 || isInstalled(captured, 'nvidia-smi') !== false) return []
  const count = gpus.length === 1 ? 'An NVIDIA GPU is' : `${gpus.length} NVIDIA GPUs are`
  const open = gpus.some(({ driver }) => driver === 'nouveau')
  return [
    {
      severity: 'error',
      what: `${count} there, but no nvidia-smi${open ? '; the driver is nouveau' : ''}.`,
      why: 'CUDA engines need the driver of NVIDIA, and without its tool the memory of the GPU is unknown.',
      fix: 'Install the NVIDIA driver 580 or newer ("sudo ubuntu-drivers install" on Ubuntu), then reboot. In a container, start it with --gpus all.',
    },
  ]
}
