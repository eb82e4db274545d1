/** The CPU with its memory, which every node has, and what the kernel says of the node itself. */
import type { MemoryPool, NodeFacts } from '#core/device.ts'
import {
  type CpuFacts,
  featuresOf,
  macFeatureNames,
  readCpuinfo,
  readLscpu,
} from '#hardware/cpu/lscpu.ts'
import type { Captured, PartialDevice, Probe } from '#hardware/probe.ts'
import { outputOf, runsOf } from '#hardware/probe-answers.ts'
import { countIn, nameIn, nodeBytes, versionIn } from '#hardware/probe-fields.ts'
import { readSysctl, readVmStat } from '#hardware/probe-macos.ts'

export const cpu: Probe = {
  vendor: 'cpu',
  commands: [
    { command: 'lscpu', args: [], timeoutMs: 2_000 },
    {
      command: 'sysctl',
      args: [
        'machdep.cpu.brand_string',
        'hw.memsize',
        'hw.physicalcpu',
        ...Object.keys(macFeatureNames),
      ],
      timeoutMs: 2_000,
    },
    { command: 'vm_stat', args: [], timeoutMs: 5_000 },
  ],
  files: [
    '/proc/cpuinfo',
    '/proc/meminfo',
    '/sys/fs/cgroup/memory.max',
    '/sys/fs/cgroup/memory.current',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes',
    '/sys/devices/system/node/node#/cpulist',
    '/proc/sys/kernel/numa_balancing',
    '/proc/sys/kernel/osrelease',
    '/.dockerenv',
    '/run/.containerenv',
  ],
  variables: ['KUBERNETES_SERVICE_HOST'],
  read(captured) {
    const device = cpuDevice(captured)
    return {
      sources: device === null ? [] : [{ devices: [device] }],
      problems: [],
      node: nodeFacts(captured),
    }
  },
}

function cpuDevice(captured: Captured): PartialDevice | null {
  const facts = factsOf(captured)
  const memory = memoryOf(captured)
  if (facts === null && memory === null) return null
  return {
    vendor: 'cpu',
    identity: { numbers: ['cpu:0'] },
    index: 0,
    name: facts?.name ?? null,
    integrated: false,
    unifiedMemory: false,
    architecture: facts?.architecture ?? null,
    computeUnits: facts?.cores ?? facts?.threads ?? null,
    features: facts === null ? [] : featuresOf(facts.flags),
    memory: { unified: memory },
  }
}

/** Fact by fact from the best source that has it. */
function factsOf(captured: Captured): CpuFacts | null {
  const { files, basics } = captured
  const cpuinfo = files.get('/proc/cpuinfo')
  const told = [
    // The file first: of a host that is mounted elsewhere lscpu knows nothing.
    cpuinfo === undefined ? null : readCpuinfo(cpuinfo),
    ...runsOf(captured, 'lscpu').map((run) => readLscpu(outputOf(run))),
    macFacts(captured),
    basics === null
      ? null
      : {
          name: nameIn(basics.cpuName),
          architecture: nameIn(basics.architecture),
          cores: null,
          threads: countIn(basics.threads, 1e5),
          flags: [],
          numaNodes: null,
        },
  ].filter((facts) => facts !== null)
  if (told.length === 0) return null
  const first = <Name extends keyof CpuFacts>(name: Name): CpuFacts[Name] | null =>
    told.map((facts) => facts[name]).find((value) => value !== null) ?? null
  return {
    name: first('name'),
    architecture: first('architecture'),
    cores: first('cores'),
    threads: first('threads'),
    flags: told.map(({ flags }) => flags).find((flags) => flags.length > 0) ?? [],
    numaNodes: first('numaNodes'),
  }
}

function macFacts(captured: Captured): CpuFacts | null {
  const values = new Map(
    runsOf(captured, 'sysctl').flatMap((run) => [...readSysctl(outputOf(run))]),
  )
  const name = nameIn(values.get('machdep.cpu.brand_string'))
  if (name === null) return null
  const flags = Object.entries(macFeatureNames).flatMap(([key, feature]) =>
    values.get(key) === '1'
      ? [feature === 'neon' ? 'asimd' : feature === 'dotprod' ? 'asimddp' : feature]
      : [],
  )
  return {
    name,
    architecture: /^Apple /.test(name) ? 'aarch64' : 'x86_64',
    cores: countIn(values.get('hw.physicalcpu'), 1e5),
    threads: countIn(values.get('hw.logicalcpu') ?? values.get('hw.ncpu'), 1e5),
    // Every CPU of Apple has NEON, also where nobody asked.
    flags: /^Apple /.test(name) ? ['asimd', ...flags] : flags,
    numaNodes: null,
  }
}

/** What this process may use: all of the machine's memory, or less in a container. */
function memoryOf(captured: Captured): MemoryPool | null {
  const { files, basics } = captured
  const whole = machineMemory(captured)
  const limitText =
    files.get('/sys/fs/cgroup/memory.max') ??
    files.get('/sys/fs/cgroup/memory/memory.limit_in_bytes')
  const limit = nodeBytes(limitText)
  if (whole === null) {
    const totalBytes = nodeBytes(basics?.memoryBytes)
    const freeBytes = nodeBytes(basics?.freeMemoryBytes)
    return totalBytes === null ? null : poolOf(totalBytes, freeBytes)
  }
  if (limit === null || limit >= whole.totalBytes) return whole
  return { totalBytes: limit, usedBytes: nodeBytes(files.get('/sys/fs/cgroup/memory.current')) }
}

function machineMemory(captured: Captured): MemoryPool | null {
  const meminfo = captured.files.get('/proc/meminfo')
  if (meminfo !== undefined) {
    const figure = (name: string): number | null =>
      nodeBytes(new RegExp(`^${name}:\\s*(\\d+ kB)`, 'm').exec(meminfo)?.[1])
    const totalBytes = figure('MemTotal')
    return totalBytes === null ? null : poolOf(totalBytes, figure('MemAvailable'))
  }
  const sysctl = runsOf(captured, 'sysctl').flatMap((run) => [...readSysctl(outputOf(run))])
  const totalBytes = nodeBytes(new Map(sysctl).get('hw.memsize'))
  if (totalBytes === null) return null
  const used = runsOf(captured, 'vm_stat').map((run) => readVmStat(outputOf(run)))
  return { totalBytes, usedBytes: used.find((bytes) => bytes !== null) ?? null }
}

function poolOf(totalBytes: number, freeBytes: number | null): MemoryPool {
  const usedBytes = freeBytes === null || freeBytes > totalBytes ? null : totalBytes - freeBytes
  return { totalBytes, usedBytes }
}

function nodeFacts(captured: Captured): NodeFacts {
  const { files, variables } = captured
  const release = files.get('/proc/sys/kernel/osrelease') ?? ''
  const folders = [...files.keys()].filter((path) => path.endsWith('/cpulist')).length
  return {
    kernelVersion: versionIn(release),
    numaNodes: folders > 0 ? folders : (factsOf(captured)?.numaNodes ?? null),
    numaBalancing: countIn(files.get('/proc/sys/kernel/numa_balancing'), 2),
    container: variables.has('KUBERNETES_SERVICE_HOST')
      ? 'kubernetes'
      : files.has('/.dockerenv')
        ? 'docker'
        : files.has('/run/.containerenv')
          ? 'podman'
          : null,
    wsl: /microsoft/i.test(release),
  }
}
