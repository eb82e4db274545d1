/** Tools that no recording under fixtures/hardware/ holds, and machines made of several of them. */
import { expect, test } from 'vitest'
import type { Device } from '#core/device.ts'
import { detect } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import type { Machine } from '#hardware/probe.ts'
import { systemClock } from '#std/clock.ts'

interface Given {
  /** What each command line prints. */
  readonly runs?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>>
}

async function devicesOf({ runs = {}, files = {} }: Given): Promise<Device[]> {
  const machine: Machine = {
    system: 'linux',
    async run(command, args) {
      const stdout = runs[[command, ...args].join(' ')]
      return stdout === undefined
        ? { kind: 'missing' }
        : { kind: 'ran', exitCode: 0, stdout, stderr: '' }
    },
    readFile: async (path) => files[path] ?? null,
    async listDirectory(path) {
      const inside = Object.keys(files).filter((file) => file.startsWith(`${path}/`))
      return [...new Set(inside.map((file) => file.slice(path.length + 1).split('/')[0] ?? ''))]
    },
    readLink: async () => null,
    variable: () => null,
    basics: async () => null,
    otherRuns: async () => [],
  }
  const { inventory } = await detect(probes, machine, { clock: systemClock })
  return inventory.devices.filter(({ vendor }) => vendor !== 'cpu')
}

const query =
  'nvidia-smi --query-gpu=index,name,uuid,pci.bus_id,driver_version,memory.total,memory.used,memory.free,utilization.gpu,temperature.gpu,power.draw,power.limit,mig.mode.current,compute_mode --format=csv'
const columns =
  'index, name, uuid, pci.bus_id, driver_version, memory.total [MiB], memory.used [MiB], compute_mode'

test('a DGX Spark, which says [N/A] for its memory, has the memory of the machine', async () => {
  const devices = await devicesOf({
    runs: {
      [query]: `${columns}\n0, NVIDIA GB10, GPU-1, 0000000F:01:00.0, 580.95.05, [N/A], [N/A], Default\n`,
    },
    files: { '/proc/meminfo': 'MemTotal: 125513456 kB\nMemAvailable: 120000000 kB\n' },
  })
  expect(devices).toMatchObject([
    {
      busId: '000f:01:00.0',
      architecture: 'sm_121',
      integrated: true,
      unifiedMemory: true,
      memoryBytes: 125_513_456 * 1_024,
      usedMemoryBytes: 5_513_456 * 1_024,
      runtimes: { cuda: '13.0' },
      schedulable: true,
    },
  ])
})

test('a GPU that waits for a reset, and one that is prohibited, are not used', async () => {
  const devices = await devicesOf({
    runs: {
      [query]: [
        columns,
        '0, NVIDIA A40, GPU-1, 00000000:01:00.0, 580.95.05, [GPU requires reset], 0 MiB, Default',
        '1, NVIDIA A40, GPU-2, 00000000:02:00.0, 580.95.05, 46068 MiB, 0 MiB, Prohibited',
        '',
      ].join('\n'),
    },
  })
  expect(devices.map(({ schedulable, reason }) => [schedulable, reason])).toEqual([
    [false, 'the GPU needs a reset'],
    [false, 'its compute mode is Prohibited'],
  ])
})

const vulkaninfo = `Devices:
========
GPU0:
\tapiVersion         = 1.3.290
\tvendorID           = 0x14c3
\tdeviceID           = 0x1
\tdeviceType         = PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU
\tdeviceName         = Some GPU
`
const vulkaninfoLong = `Device Properties and Extensions:
=================================
GPU0:
VkPhysicalDeviceMemoryProperties:
=================================
memoryHeaps: count = 2
\tmemoryHeaps[0]:
\t\tsize   = 8573157376 (0x1ff000000) (7.98 GiB)
\t\tbudget = 8000000000 (0x1dcd65000) (7.45 GiB)
\t\tflags: count = 1
\t\t\tMEMORY_HEAP_DEVICE_LOCAL_BIT
\tmemoryHeaps[1]:
\t\tsize   = 33554432000 (0x7d0000000) (31.25 GiB)
\t\tflags:
\t\t\tNone
memoryTypes: count = 1
\tmemoryTypes[0]:
\t\theapIndex     = 0
`

test('a GPU that only Vulkan knows gets its memory from the heap of its own', async () => {
  const devices = await devicesOf({
    runs: { 'vulkaninfo --summary': vulkaninfo, vulkaninfo: vulkaninfoLong },
  })
  expect(devices).toMatchObject([
    {
      vendor: 'other',
      name: 'Some GPU',
      integrated: true,
      memoryBytes: 8_573_157_376,
      runtimes: { vulkan: '1.3.290' },
      schedulable: true,
    },
  ])
})

test('an NVIDIA GPU that Vulkan shows too is one device, found by its UUID', async () => {
  const uuid = '71d1acc2-662d-2166-bf9f-65272d2fc437'
  const devices = await devicesOf({
    runs: {
      [query]: `${columns}\n0, NVIDIA L4, GPU-${uuid}, 00000000:01:00.0, 580.95.05, 23034 MiB, 0 MiB, Default\n1, NVIDIA L4, GPU-00000000-0000-0000-0000-000000000002, 00000000:02:00.0, 580.95.05, 23034 MiB, 0 MiB, Default\n`,
      'vulkaninfo --summary': `GPU0:\n\tvendorID = 0x10de\n\tdeviceName = NVIDIA L4\n\tapiVersion = 1.4.303\n\tdeviceUUID = 00000000-0000-0000-0000-000000000002\nGPU1:\n\tvendorID = 0x10de\n\tdeviceName = NVIDIA L4\n\tapiVersion = 1.4.303\n\tdeviceUUID = ${uuid}\n`,
    },
  })
  expect(devices.map(({ index, vulkanIndex }) => [index, vulkanIndex])).toEqual([
    [0, 1],
    [1, 0],
  ])
})

test('an Intel card gets its memory from its own page, which is asked for next', async () => {
  const list = {
    device_id: 0,
    device_name: 'Intel(R) Arc(TM) Pro B60 Graphics',
    device_type: 'GPU',
  }
  const virtual = { ...list, device_id: 1, device_function_type: 'virtual' }
  const devices = await devicesOf({
    runs: {
      'xpu-smi discovery -j': JSON.stringify({
        device_list: [
          { ...list, pci_bdf_address: '0000:03:00.0', pci_device_id: '0xe211' },
          virtual,
        ],
      }),
      'xpu-smi discovery -d 0 -j': JSON.stringify({
        ...list,
        pci_bdf_address: '0000:03:00.0',
        memory_physical_size_byte: '25669140480',
        memory_free_size_byte: 25_000_000_000,
      }),
    },
  })
  expect(devices).toMatchObject([
    {
      name: 'Intel Arc Pro B60 Graphics',
      architecture: 'xe2',
      memoryBytes: 25_669_140_480,
      usedMemoryBytes: 669_140_480,
    },
  ])
})

test('clinfo tells how much memory an integrated Intel GPU may take', async () => {
  const device = {
    CL_DEVICE_NAME: 'Intel(R) Arc(TM) Graphics',
    CL_DEVICE_VENDOR: 'Intel(R) Corporation',
    CL_DEVICE_TYPE: { raw: 4, type: ['CL_DEVICE_TYPE_GPU'] },
    CL_DEVICE_GLOBAL_MEM_SIZE: 30_763_622_400,
    CL_DEVICE_HOST_UNIFIED_MEMORY: true,
    CL_DEVICE_PCI_BUS_INFO_KHR: 'PCI-E, 0000:00:02.0',
  }
  const pocl = {
    CL_DEVICE_NAME: 'cpu-haswell',
    CL_DEVICE_VENDOR: 'GenuineIntel',
    CL_DEVICE_TYPE: {},
  }
  const devices = await devicesOf({
    runs: {
      'clinfo --json': JSON.stringify({ devices: [{ online: [device] }, { online: [pocl] }] }),
    },
    files: {
      '/sys/bus/pci/devices/0000:00:02.0/vendor': '0x8086\n',
      '/sys/bus/pci/devices/0000:00:02.0/device': '0x7d55\n',
      '/sys/bus/pci/devices/0000:00:02.0/class': '0x030000\n',
    },
  })
  expect(devices).toMatchObject([
    {
      busId: '0000:00:02.0',
      architecture: 'xe-lpg',
      unifiedMemory: true,
      memoryBytes: 30_763_622_400,
    },
  ])
})

test('a Mac says what is in use and how busy its GPU is without root', async () => {
  const names =
    'machdep.cpu.brand_string hw.memsize hw.model kern.osproductversion iogpu.wired_limit_mb sysctl.proc_translated'
  const devices = await devicesOf({
    runs: {
      [`sysctl ${names}`]: [
        'machdep.cpu.brand_string: Apple M2 Ultra',
        'hw.memsize: 137438953472',
        'kern.osproductversion: 15.5',
        'iogpu.wired_limit_mb: 114688',
        'sysctl.proc_translated: 0',
      ].join('\n'),
      vm_stat: [
        'Mach Virtual Memory Statistics: (page size of 16384 bytes)',
        'Pages free:                             2000000.',
        'Pages active:                           1000000.',
        'Pages wired down:                        500000.',
        'Pages occupied by compressor:                 0.',
      ].join('\n'),
      'ioreg -r -c IOAccelerator -d 1':
        '  "PerformanceStatistics" = {"In use system memory"=1,"Device Utilization %"=37}',
    },
  })
  expect(devices).toMatchObject([
    {
      vendor: 'apple',
      memoryBytes: 137_438_953_472,
      usedMemoryBytes: 1_500_000 * 16_384,
      utilizationRatio: 0.37,
      driverVersion: '15.5',
      memory: { limitBytes: 114_688 * 2 ** 20 },
    },
  ])
})

test('processes that hold memory of an AMD GPU are told by the kernel', async () => {
  const node = '/sys/class/kfd/kfd/topology/nodes/1'
  const devices = await devicesOf({
    files: {
      [`${node}/properties`]:
        'simd_count 1216\nsimd_per_cu 4\ngfx_target_version 90402\ndevice_id 29857\nlocation_id 33536\ndomain 0\n',
      [`${node}/gpu_id`]: '28851\n',
      [`${node}/mem_banks/0/properties`]: 'heap_type 1\nsize_in_bytes 206141652992\n',
      '/sys/class/kfd/kfd/proc/4242/vram_28851': '10737418240\n',
      '/sys/class/kfd/kfd/proc/4242/vram_99999': '1\n',
    },
  })
  expect(devices).toMatchObject([
    {
      name: 'AMD Instinct MI300X',
      busId: '0000:83:00.0',
      computeUnits: 304,
      memoryBytes: 206_141_652_992,
      memoryUsers: [{ pid: 4_242, name: null, usedMemoryBytes: 10_737_418_240 }],
    },
  ])
})
