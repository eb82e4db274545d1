/** One suite for all probes, over every machine recorded under fixtures/hardware/. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Device } from '#core/device.ts'
import { detect, type Inventory, inventory as inventorySchema } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import { recordedMachine, recordingFile } from '#hardware/machine/recording.ts'
import type { CommandResult, Machine } from '#hardware/probe.ts'
import { systemClock } from '#std/clock.ts'
import { recordedMachines } from '#testing/recorded-machines.ts'

const machines = recordedMachines().map(({ id, recording, readPart }) => ({
  id,
  recording: recordingFile.parse(recording),
  readPart,
}))

type Recorded = (typeof machines)[number]

async function detected(machine: Machine): Promise<Inventory> {
  return (await detect(probes, machine, { clock: systemClock })).inventory
}

function machineNamed(id: string): Recorded {
  const found = machines.find((machine) => machine.id === id)
  if (found === undefined) throw new Error(`fixtures/hardware/${id} is missing`)
  return found
}

function inventoryOf(id: string): Promise<Inventory> {
  const { recording, readPart } = machineNamed(id)
  return detected(recordedMachine(recording, readPart))
}

async function gpusOf(id: string): Promise<Device[]> {
  const { devices } = await inventoryOf(id)
  return devices.filter(({ vendor }) => vendor !== 'cpu')
}

/** The schema holds the bounds of every figure; this adds what two figures say of each other. */
function expectSane(inventory: Inventory): void {
  expect(inventorySchema.parse(inventory)).toEqual(inventory)
  for (const device of inventory.devices) {
    const { memoryBytes, usedMemoryBytes, schedulable, reason, name } = device
    expect(usedMemoryBytes ?? 0, name).toBeLessThanOrEqual(memoryBytes ?? 0)
    expect(schedulable, name).toBe(reason === null)
    expect(name).toBe(name.trim())
    expect(name.split(/\s/)).not.toContain('')
  }
  for (const { what, why, fix } of inventory.problems) {
    expect([what, why, fix].every((text) => text.length > 10)).toBe(true)
  }
}

describe.each(machines)('$id', ({ recording, readPart }) => {
  test('gives devices, or says why not', async () => {
    const inventory = await detected(recordedMachine(recording, readPart))
    expectSane(inventory)
    expect(inventory.devices.length + inventory.problems.length).toBeGreaterThan(0)
  })

  test('holds every file it names', () => {
    const named = [
      ...recording.commands.flatMap(({ stdout, stderr }) => [stdout, stderr]),
      ...recording.files.map(({ dump }) => dump),
    ]
    for (const name of named) if (name !== undefined) expect(readPart(name), name).not.toBeNull()
  })

  test('gives something with each of its commands alone', async () => {
    for (const only of recording.commands) {
      const alone = { ...recording, commands: [only], files: [] }
      const inventory = await detected(recordedMachine(alone, readPart))
      expectSane(inventory)
      const tells =
        !/--version|-lgip|compute-apps|nvlink/.test(only.run.join(' ')) && only.exitCode === 0
      if (tells && only.outcome === 'ran') {
        const found = inventory.devices.length + inventory.problems.length
        expect(found, only.run.join(' ')).toBeGreaterThan(0)
      }
    }
  })
})

const gib = 2 ** 30
const mib = 2 ** 20

describe('what the recorded machines are', () => {
  test.each([
    ['nvidia/l40s', 'NVIDIA L40S', 46_068 * mib, 'sm_89', '595.80', { cuda: '13.2' }],
    ['nvidia/h200', 'NVIDIA H200', 143_771 * mib, 'sm_90', '590.48.01', { cuda: '13.1' }],
    [
      'nvidia/rtx-4090',
      'NVIDIA GeForce RTX 4090',
      24_564 * mib,
      'sm_89',
      '535.86.05',
      { cuda: '12.2' },
    ],
    ['nvidia/tesla-t4', 'Tesla T4', 15_360 * mib, 'sm_75', '515.105.01', { cuda: '11.7' }],
    ['nvidia/gtx-1070-ti', 'GeForce GTX 1070 Ti', 4_096 * mib, 'sm_61', null, { cuda: null }],
    [
      'nvidia/rtx-2080-super-windows',
      'NVIDIA GeForce RTX 2080 SUPER',
      8 * gib,
      'sm_75',
      '591.86',
      { cuda: '13.1' },
    ],
    ['nvidia/rtx-2070', 'NVIDIA GeForce RTX 2070', null, 'sm_75', '510.68.02', { cuda: '11.6' }],
    [
      'nvidia/rtx-5070-freebsd',
      'NVIDIA GeForce RTX 5070',
      12_227 * mib,
      'sm_120',
      '575.64.03',
      { cuda: null },
    ],
    ['amd/mi300x', 'AMD Instinct MI300X', 196_592 * mib, 'gfx942', '6.19.14', { rocm: null }],
    [
      'amd/mi210',
      'AMD Instinct MI210',
      65_520 * mib,
      'gfx90a',
      '6.14.0-24-generic',
      { rocm: null },
    ],
    [
      'amd/rx-6700-xt',
      'Navi 22 [Radeon RX 6700/6700 XT / 6800M]',
      12_868_124_672,
      'gfx1031',
      '6.3.6',
      { rocm: null },
    ],
    ['amd/rx-7900-xt', 'Radeon RX 7900 XT', 21_458_059_264, 'gfx1100', null, { rocm: null }],
    ['amd/radeon-680m', 'Rembrandt [Radeon 680M]', 512 * mib, 'gfx1035', null, { rocm: null }],
    ['amd/strix-halo-96-gib', 'AMD Radeon Graphics', 96 * gib, 'gfx1151', null, { rocm: null }],
    ['amd/strix-halo-table', 'Radeon 8060S Graphics', 32 * gib, 'gfx1151', null, { rocm: null }],
    ['apple/m2-max', 'Apple M2 Max', 64 * gib, 'apple8', '26.6.2', { metal: null }],
    ['apple/m4-max-128-gb', 'Apple M4 Max', 128 * gib, 'apple9', null, { metal: null }],
    ['apple/m1', 'Apple M1', null, 'apple7', null, { metal: '3' }],
    [
      'intel/a770',
      'Intel Arc A770 Graphics',
      16_288 * mib,
      'xe-hpg',
      '17013219',
      { levelZero: '1.32.0' },
    ],
    [
      'intel/meteor-lake',
      'Intel Arc Graphics (Meteor Lake)',
      null,
      'xe-lpg',
      null,
      { levelZero: '1.3.27642' },
    ],
    [
      'vulkan/radv-gfx1151',
      'AMD Radeon Graphics (RADV GFX1151)',
      null,
      'gfx1151',
      null,
      { rocm: null, vulkan: null },
    ],
  ])('%s is one %s', async (id, name, memoryBytes, architecture, driverVersion, runtimes) => {
    expect(await gpusOf(id)).toMatchObject([
      { name, memoryBytes, architecture, driverVersion, runtimes },
    ])
  })

  test.each([
    ['nvidia/topology-8-gpus-nv12', 8],
    ['nvidia/topology-2-rtx-5090-3-rtx-4090', 5],
    ['nvidia/rtx-3050-ti-and-a100', 2],
    ['nvidia/rtx-4090-48g', 2],
    ['amd/8-mi308x', 8],
    ['amd/8-mi210-xgmi-and-pcie', 8],
    ['amd/mi308-cpx', 3],
    ['amd/4-mi100', 4],
    ['amd/4-mi300x-vf', 4],
    ['amd/topology-4-gpus-xgmi', 4],
    ['amd/2-rx-7900-xtx-and-igpu', 3],
    ['amd/2-mi300x', 2],
    ['intel/4-arc-pro-b70', 4],
    ['intel/a770-and-uhd-730', 2],
    ['mixed/rtx-3050-ti-laptop-and-radeon-680m', 2],
    ['vulkan/llvmpipe-only', 0],
  ])('%s has %i GPUs', async (id, count) => {
    expect(await gpusOf(id)).toHaveLength(count)
  })

  test('each MIG instance is a device, and its GPU is none', async () => {
    const [gpu, ...instances] = await gpusOf('nvidia/h100-mig')
    expect(gpu).toMatchObject({ schedulable: false, parent: null, busId: '0000:00:09.0' })
    expect(instances).toMatchObject(
      [
        ['3g.40gb', 40_448, 60],
        ['2g.20gb', 20_096, 32],
        ['1g.10gb', 9_984, 16],
        ['1g.10gb', 9_984, 16],
      ].map(([partition, mebibytes, computeUnits]) => ({
        partition,
        memoryBytes: Number(mebibytes) * mib,
        computeUnits,
        parent: '0000:00:09.0',
        schedulable: true,
      })),
    )
  })

  test('in a container with one slice, the slice is all there is to use', async () => {
    const gpus = await gpusOf('nvidia/rtx-pro-6000-mig-in-container')
    expect(gpus.filter(({ schedulable }) => schedulable)).toMatchObject([
      { memoryBytes: 24_192 * mib, usedMemoryBytes: 1_786 * mib, driverVersion: '610.43.02' },
    ])
  })

  test('MIG without instances is a problem, not a free GPU', async () => {
    const { devices, problems } = await inventoryOf('nvidia/rtx-pro-6000-max-q-mig-empty')
    expect(devices).toMatchObject([{ schedulable: false, reason: expect.stringContaining('MIG') }])
    expect(problems).toMatchObject([{ severity: 'error', fix: expect.stringContaining('-mig 0') }])
  })

  test('those who use the memory are named', async () => {
    const [gpu] = await gpusOf('nvidia/l40s-load')
    expect(gpu?.memoryUsers).toEqual([
      { pid: 20_037, name: 'ffmpeg', usedMemoryBytes: 538 * mib },
      { pid: 20_038, name: 'ffmpeg', usedMemoryBytes: 681 * mib },
    ])
  })

  test('links are told apart: NVLink, XGMI, PCIe, Xe Link', async () => {
    const kindsOf = async (id: string) => {
      const [first] = await gpusOf(id)
      return first?.links.map(({ peerIndex, kind }) => `${peerIndex}:${kind}`)
    }
    expect(await kindsOf('nvidia/topology-4-gpus-in-pairs')).toEqual([
      '1:nvlink',
      '2:pcie',
      '3:pcie',
    ])
    expect(await kindsOf('amd/8-mi210-xgmi-and-pcie')).toEqual([
      '1:xgmi',
      '2:xgmi',
      '3:xgmi',
      '4:pcie',
      '5:pcie',
      '6:pcie',
      '7:pcie',
    ])
    expect(await kindsOf('intel/topology-2-cards')).toEqual(['1:xe-link'])
  })

  test('a carve-out and what may be mapped besides are two pools', async () => {
    const [, integrated] = await gpusOf('amd/rx-9060-xt')
    expect(integrated).toMatchObject({
      integrated: true,
      unifiedMemory: true,
      memoryBytes: 16_360_906_752,
      memory: { carveOut: { totalBytes: 512 * mib }, shared: { totalBytes: 16_360_906_752 } },
      schedulable: false,
    })
  })

  test('a CPU says what it can compute with', async () => {
    const { devices } = await inventoryOf('cpu/2-xeon-8462y')
    expect(devices).toMatchObject([{ vendor: 'cpu', computeUnits: 64, architecture: 'x86_64' }])
    expect(devices[0]?.features).toEqual(expect.arrayContaining(['avx2', 'avx512f', 'amx_int8']))
    const arm = await inventoryOf('cpu/arm-big-little')
    expect(arm.devices).toMatchObject([{ computeUnits: 8, architecture: 'aarch64' }])
    expect(arm.devices[0]?.features).toEqual(['neon', 'dotprod', 'i8mm', 'bf16'])
  })
})

/** A machine whose every command gives this, and that has no files. */
function machineSaying(result: CommandResult): Machine {
  return {
    system: 'linux',
    run: async () => result,
    readFile: async () => null,
    listDirectory: async () => [],
    readLink: async () => null,
    variable: () => null,
    basics: async () => null,
    otherRuns: async () => [],
  }
}

describe('a machine that does not answer as it should', () => {
  test.each<[string, CommandResult]>([
    ['has no tool at all', { kind: 'missing' }],
    ['may start none', { kind: 'failed', why: 'permission denied' }],
    ['hangs', { kind: 'timeout', afterMs: 1_000, stdout: '', stderr: '' }],
    ['says nothing', { kind: 'ran', exitCode: 0, stdout: '', stderr: '' }],
    ['fails', { kind: 'ran', exitCode: 9, stdout: '', stderr: 'no' }],
  ])('one that %s has no devices and no exception', async (_, result) => {
    const inventory = await detected(machineSaying(result))
    expectSane(inventory)
    expect(inventory.devices).toEqual([])
  })

  test.each([
    ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 'not loaded'],
    ['Failed to initialize NVML: Driver/library version mismatch', 'different versions'],
    ['Failed to initialize NVML: Unknown Error', 'may not open'],
    [
      'Unable to determine the device handle for GPU 0000:01:00.0: Unknown Error',
      'no longer answers',
    ],
    ['No devices were found', 'finds no device'],
  ])('nvidia-smi that says "%s" is understood', async (stdout, what) => {
    const { problems } = await detected(
      machineSaying({ kind: 'ran', exitCode: 9, stdout, stderr: '' }),
    )
    expect(problems.map((problem) => problem.what)).toContainEqual(expect.stringContaining(what))
  })

  test('an lscpu that was translated is passed over for /proc/cpuinfo', async () => {
    const { recording, readPart } = machineNamed('cpu/cloud-vm')
    const german = 'Architektur:            x86_64\nCPU(s):  2\nModellname: Intel(R) Xeon(R)\n'
    const translated = { ...recording, commands: [{ ...recording.commands[0]!, stdout: 'german' }] }
    const inventory = await detected(
      recordedMachine(translated, (name) => (name === 'german' ? german : readPart(name))),
    )
    expect(inventory.devices).toMatchObject([{ name: 'Intel Xeon Processor', computeUnits: 2 }])
  })
})

/** What a tool of another version, a full disk or a bad cable may make of a text. */
const damage = fc.oneof(
  fc.constantFrom(
    '-1',
    '1e999',
    '999999999999999',
    'null',
    '[N/A]',
    'ERR!',
    '{}',
    '[',
    '"',
    '\0',
    '\n',
    ', ',
    '|',
    '<gpu id="',
    '### /',
    'é',
    '４２',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
)

interface Change {
  readonly at: number
  readonly cut: number
  readonly put: string
}

const changes = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.oneof(fc.nat(16), fc.nat(5_000)),
    put: damage,
  }),
  { maxLength: 6 },
)

function damaged(text: string, made: readonly Change[], numbersTo: string | null): string {
  let result = numbersTo === null ? text : text.replace(/\b\d+(\.\d+)?\b/g, numbersTo)
  for (const { at, cut, put } of made) {
    const index = Math.floor(at * result.length)
    result = result.slice(0, index) + put + result.slice(index + cut)
  }
  return result
}

test('no damage to what a machine says makes a reader throw or tell an absurd figure', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...machines),
      changes,
      fc.option(fc.constantFrom('-1', '0', '9007199254740993', '99999999', '0.5', 'N/A')),
      async ({ recording, readPart }, made, numbersTo) => {
        const damagedPart = (name: string): string | null => {
          const text = readPart(name)
          return text === null ? null : damaged(text, made, numbersTo)
        }
        expectSane(await detected(recordedMachine(recording, damagedPart)))
      },
    ),
    { numRuns: 400 },
  )
}, 120_000)

test('no bytes of any kind from every tool at once make a reader throw', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.nat(255), async (bytes, exitCode) => {
      const stdout = Buffer.from(bytes).toString('utf8')
      expectSane(await detected(machineSaying({ kind: 'ran', exitCode, stdout, stderr: stdout })))
    }),
    { numRuns: 200 },
  )
})
