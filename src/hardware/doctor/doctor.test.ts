import { describe, expect, test } from 'vitest'
import type { NodeFacts } from '#core/device.ts'
import type { DriverLevels } from '#core/driver-levels.ts'
import type { ArchitectureRelative } from '#core/engine-build.ts'
import { diagnose } from '#hardware/doctor/index.ts'
import type { Checkup, Examined } from '#hardware/doctor/rule.ts'
import type { PartialDevice } from '#hardware/probe.ts'
import { mergeDevices } from '#hardware/probe-merge.ts'

const levels: DriverLevels = {
  cudaFamilies: [
    { cuda: '12.0', drivers: { linux: '525.60.13', windows: '528.33' } },
    { cuda: '13.0', drivers: { linux: '580.65.06', windows: '580' } },
  ],
  driverBranches: [{ branch: 570, cuda: '12.8' }],
  relatives: {
    gfx1031: relative('gfx1030', '10.3.0'),
    gfx1035: relative('gfx1030', '10.3.0'),
    gfx1102: relative('gfx1100', '11.0.0'),
    gfx1103: relative('gfx1100', '11.0.0'),
  },
}

function relative(architecture: string, value: string): ArchitectureRelative {
  return { architecture, variable: 'HSA_OVERRIDE_GFX_VERSION', value }
}

const quiet: Checkup = {
  userId: 1_000,
  groups: ['render', 'video'],
  hasKfd: true,
  hasRenderNode: true,
  hasNvidiaUvm: true,
  docker: null,
  containerToolkit: null,
  hsaOverride: null,
  disk: { path: '/data', freeBytes: 500 * 2 ** 30 },
  sharedMemoryBytes: 64 * 2 ** 30,
  isTranslated: false,
}

const node: NodeFacts = {
  kernelVersion: '6.14.0',
  numaNodes: 2,
  numaBalancing: 0,
  container: null,
  wsl: false,
}

const card = (gibibytes: number) => ({
  dedicated: { totalBytes: gibibytes * 2 ** 30, usedBytes: 0 },
})

const rtx4090: PartialDevice = {
  vendor: 'nvidia',
  identity: { bus: '0000:01:00.0' },
  index: 0,
  name: 'NVIDIA GeForce RTX 4090',
  architecture: 'sm_89',
  driverVersion: '595.80',
  memory: card(24),
}
const mi300x: PartialDevice = {
  vendor: 'amd',
  identity: { bus: '0000:83:00.0' },
  index: 0,
  name: 'AMD Instinct MI300X',
  architecture: 'gfx942',
  integrated: false,
  memory: card(192),
}
const radeon680m: PartialDevice = {
  vendor: 'amd',
  identity: { bus: '0000:c4:00.0' },
  index: 0,
  name: 'AMD Radeon 680M',
  architecture: 'gfx1035',
  integrated: true,
  memory: {
    carveOut: { totalBytes: 512 * 2 ** 20, usedBytes: null },
    shared: { totalBytes: 12 * 2 ** 30, usedBytes: null },
  },
}

interface Case {
  readonly devices?: readonly PartialDevice[]
  readonly checkup?: Partial<Checkup>
  readonly node?: Partial<NodeFacts>
  readonly system?: Examined['system']
}

function problemsOf({
  devices = [rtx4090],
  checkup = {},
  node: facts = {},
  system = 'linux',
}: Case) {
  return diagnose({
    levels,
    system,
    inventory: {
      os: system,
      devices: mergeDevices([{ devices }]),
      problems: [],
      node: { ...node, ...facts },
    },
    checkup: { ...quiet, ...checkup },
  })
}

test.each<[string, Case]>([
  ['an NVIDIA node', {}],
  ['an AMD node', { devices: [mi300x] }],
  [
    'root, whatever its groups are',
    { devices: [mi300x], checkup: { userId: 0, groups: ['root'] } },
  ],
  [
    'a node of which nothing but its GPU is known',
    {
      devices: [mi300x],
      checkup: {
        userId: null,
        groups: null,
        hasKfd: null,
        hasRenderNode: null,
        hasNvidiaUvm: null,
        disk: null,
        sharedMemoryBytes: null,
        isTranslated: null,
      },
      node: { numaBalancing: null },
    },
  ],
  [
    'Docker with the toolkit',
    { checkup: { docker: { runtimes: ['nvidia', 'runc'] }, containerToolkit: true } },
  ],
  ['the right override', { devices: [radeon680m], checkup: { hsaOverride: '10.3.0' } }],
  ['WSL, which has no /dev/nvidia-uvm', { checkup: { hasNvidiaUvm: false }, node: { wsl: true } }],
])('nothing is wrong with %s', (_, given) => {
  expect(problemsOf(given)).toEqual([])
})

describe('each concern is told with the command that mends it', () => {
  test.each<[string, Case, string, string]>([
    [
      'a driver before CUDA 12',
      { devices: [{ ...rtx4090, driverVersion: '515.105.01' }] },
      'error',
      'nvidia-driver-580',
    ],
    [
      'a driver before CUDA 12 on Windows',
      { devices: [{ ...rtx4090, driverVersion: '516.94' }], system: 'win32' },
      'error',
      'nvidia.com/drivers',
    ],
    [
      'a driver before CUDA 13',
      { devices: [{ ...rtx4090, driverVersion: '535.86.05' }] },
      'note',
      'cu128',
    ],
    [
      'a driver before Blackwell',
      {
        devices: [
          { ...rtx4090, name: 'RTX 5090', architecture: 'sm_120', driverVersion: '565.57' },
        ],
      },
      'error',
      'nvidia-driver-580',
    ],
    [
      'a GPU before Turing',
      { devices: [{ ...rtx4090, name: 'Tesla P40', architecture: 'sm_61' }] },
      'note',
      'llama.cpp',
    ],
    ['no /dev/nvidia-uvm', { checkup: { hasNvidiaUvm: false } }, 'error', 'nvidia-modprobe -u'],
    [
      'Docker without the toolkit',
      { checkup: { docker: { runtimes: ['runc'] }, containerToolkit: false } },
      'warning',
      'apt install nvidia-container-toolkit',
    ],
    [
      'Docker that was not told of the toolkit',
      { checkup: { docker: { runtimes: ['runc'] }, containerToolkit: true } },
      'warning',
      'nvidia-ctk runtime configure',
    ],
    [
      'a user outside of the group render',
      { devices: [mi300x], checkup: { groups: ['users'] } },
      'error',
      'usermod -aG render,video',
    ],
    [
      'no /dev/kfd',
      { devices: [mi300x], checkup: { hasKfd: false } },
      'error',
      '--device /dev/kfd',
    ],
    [
      'a GPU without kernels',
      { devices: [radeon680m] },
      'warning',
      'export HSA_OVERRIDE_GFX_VERSION=10.3.0',
    ],
    [
      'an override of another generation',
      { devices: [radeon680m], checkup: { hsaOverride: '11.0.0' } },
      'error',
      'HSA_OVERRIDE_GFX_VERSION=10.3.0',
    ],
    [
      'an override nobody needs',
      { devices: [mi300x], checkup: { hsaOverride: '10.3.0' } },
      'error',
      'unset HSA_OVERRIDE_GFX_VERSION',
    ],
    [
      'NUMA balancing',
      { devices: [mi300x], node: { numaBalancing: 1 } },
      'warning',
      'sysctl -w kernel.numa_balancing=0',
    ],
    [
      'NUMA balancing, in a container',
      { devices: [mi300x], node: { numaBalancing: 1, container: 'docker' } },
      'warning',
      'On the host',
    ],
    [
      'little shared memory',
      {
        devices: [mi300x, { ...mi300x, index: 1, identity: { bus: '0000:a3:00.0' } }],
        checkup: { sharedMemoryBytes: 64 * 2 ** 20 },
      },
      'warning',
      '--ipc=host',
    ],
    [
      'a small disk',
      { checkup: { disk: { path: '/data', freeBytes: 9 * 2 ** 30 } } },
      'warning',
      'MOTLEY_DATA_DIR',
    ],
    [
      'a full disk',
      { checkup: { disk: { path: '/data', freeBytes: 2 ** 29 } } },
      'error',
      'docker system prune',
    ],
    [
      'a GPU that cannot be used',
      { devices: [{ ...rtx4090, memory: {} }] },
      'error',
      'nvidia-smi --query-gpu',
    ],
    [
      'no GPU',
      { devices: [{ vendor: 'cpu', identity: {}, name: 'EPYC', memory: card(64) }] },
      'note',
      'lspci',
    ],
    [
      'a CPU without AVX2',
      {
        devices: [
          rtx4090,
          {
            vendor: 'cpu',
            identity: {},
            name: 'X7550',
            architecture: 'x86_64',
            features: ['sse4_2'],
            memory: card(64),
          },
        ],
      },
      'warning',
      'GGML_NATIVE',
    ],
    [
      'an APU that was given little',
      {
        devices: [
          { ...radeon680m, memory: { carveOut: { totalBytes: 2 ** 29, usedBytes: null } } },
        ],
        checkup: { hsaOverride: '10.3.0' },
      },
      'warning',
      'ttm.pages_limit',
    ],
    [
      'Node under Rosetta',
      {
        devices: [
          {
            vendor: 'apple',
            identity: {},
            name: 'Apple M2',
            memory: { unified: { totalBytes: 16 * 2 ** 30, usedBytes: null } },
          },
        ],
        checkup: { isTranslated: true },
        system: 'darwin',
      },
      'error',
      'Node for arm64',
    ],
    [
      'the cap of macOS',
      {
        devices: [
          {
            vendor: 'apple',
            identity: {},
            name: 'Apple M2 Max',
            memory: { unified: { totalBytes: 64 * 2 ** 30, usedBytes: null } },
          },
        ],
        system: 'darwin',
      },
      'note',
      'iogpu.wired_limit_mb=55705',
    ],
  ])('%s', (_, given, severity, fix) => {
    expect(problemsOf(given)).toMatchObject([{ severity, fix: expect.stringContaining(fix) }])
  })
})

test('the worst comes first', () => {
  const severities = problemsOf({
    devices: [{ ...mi300x }],
    checkup: { groups: [], hasKfd: false, disk: { path: '/', freeBytes: 9 * 2 ** 30 } },
    node: { numaBalancing: 1 },
  }).map(({ severity }) => severity)
  expect(severities).toEqual(['error', 'error', 'warning', 'warning'])
})
