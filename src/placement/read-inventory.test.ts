import { describe, expect, test } from 'vitest'
import type { Device } from '#core/device.ts'
import { fleetPicture, readInventory } from '#placement/read-inventory.ts'

const gibi = 2 ** 30

const gpu: Device = {
  vendor: 'nvidia',
  name: 'NVIDIA GeForce RTX 2070',
  index: 0,
  vulkanIndex: null,
  busId: '0000:01:00.0',
  uuid: null,
  pciDeviceId: null,
  parent: null,
  partition: null,
  memoryBytes: 8 * gibi,
  usedMemoryBytes: 3 * gibi,
  memory: {
    dedicated: { totalBytes: 8 * gibi, usedBytes: 3 * gibi },
    unified: null,
    carveOut: null,
    shared: null,
    reservedBytes: null,
    limitBytes: null,
  },
  memoryUsers: null,
  unifiedMemory: false,
  integrated: false,
  architecture: 'sm_75',
  computeUnits: 36,
  features: [],
  driverVersion: '570.0',
  runtimes: { cuda: '12.8' },
  powerWatts: null,
  powerLimitWatts: null,
  temperatureCelsius: null,
  utilizationRatio: null,
  memoryBandwidthBytesPerSecond: 448e9,
  memoryBandwidthClass: 'graphics',
  pcieGeneration: 3,
  pcieLanes: 16,
  links: [],
  numaNode: null,
  schedulable: true,
  reason: null,
}

const node = {
  id: 'node-1',
  name: 'elminster',
  presence: 'ready',
  draining: false,
  inventory: { os: 'linux', devices: [gpu], problems: [], node: null },
}

const placed = {
  deployment: 'stt',
  devices: ['nvidia-0'],
  engine: 'speaches',
  backend: 'cuda',
  kind: 'container',
  contextTokens: 448,
  slots: 2,
  memoryFraction: null,
  tensorParallel: 1,
  claimedBytes: { 'nvidia-0': 2 * gibi },
}

const replica = {
  spec: { id: 'stt-0', source: 'hf:a/b', contextTokens: 448, slots: 2 },
  node: 'node-1',
  placed,
  reported: { state: 'ready', engine: 'speaches', backend: 'cuda' },
  memory: null,
}

const memoryOf = (takenBytes: number) => ({
  devices: [{ vendor: 'nvidia', index: 0, takenBytes }],
})

const read = (picture: unknown) => readInventory(fleetPicture.parse(picture))

describe('memory of others is what is used and not ours', () => {
  test.each([
    { what: 'nothing of ours runs', replicas: [], gibibytes: 3 },
    { what: 'ours is ready and not measured: what it claimed', replicas: [replica], gibibytes: 1 },
    {
      what: 'ours was measured',
      replicas: [{ ...replica, memory: memoryOf(2.5 * gibi) }],
      gibibytes: 0.5,
    },
    {
      what: 'ours is loading and holds nothing yet',
      replicas: [{ ...replica, reported: { ...replica.reported, state: 'loading' } }],
      gibibytes: 3,
    },
    {
      what: 'ours was measured, and has ended since',
      replicas: [
        {
          ...replica,
          memory: memoryOf(2.5 * gibi),
          reported: { ...replica.reported, state: 'crash-looping' },
        },
      ],
      gibibytes: 3,
    },
    {
      what: 'ours takes more than is seen to be used',
      replicas: [{ ...replica, memory: memoryOf(4 * gibi) }],
      gibibytes: 0,
    },
  ])('$what', ({ replicas, gibibytes }) => {
    const { nodes } = read({ nodes: [node], replicas })
    expect(nodes[0]?.devices[0]?.foreignBytes).toBe(gibibytes * gibi)
  })
})

test('a silent node is suspect until its replicas are given up', () => {
  const presenceOf = (presence: string, givenUp: boolean) =>
    read({ nodes: [{ ...node, presence, givenUp }] }).nodes[0]?.presence
  expect(presenceOf('ready', false)).toBe('ready')
  expect(presenceOf('suspect', false)).toBe('suspect')
  expect(presenceOf('lost', false)).toBe('suspect')
  expect(presenceOf('lost', true)).toBe('lost')
})

test('what people say of a node counts over what was detected', () => {
  const taints = [{ key: 'dedicated', value: 'stt', effect: 'NoSchedule' }]
  const statement = {
    taints,
    labels: { room: 'attic' },
    devices: { 'nvidia-0': { use: false, memory: 6 * gibi } },
  }
  const [said] = read({ nodes: [{ ...node, statement }] }).nodes
  expect(said).toMatchObject({ taints, labels: { room: 'attic' } })
  expect(said?.devices[0]?.device).toMatchObject({
    schedulable: false,
    reason: 'the configuration says that it is not used',
    memory: { limitBytes: 6 * gibi },
  })
})

test('a replica that somebody started by hand belongs to no deployment and holds its place', () => {
  const manual = { ...replica, placed: null, memory: memoryOf(2 * gibi) }
  expect(read({ nodes: [node], replicas: [manual] }).replicas).toMatchObject([
    { deployment: null, devices: ['nvidia-0'], measuredBytes: { 'nvidia-0': 2 * gibi } },
  ])
})

test('one that nobody has measured yet is starting, until it is measured or has given up', () => {
  const startsOf = (changes: object) =>
    read({ nodes: [node], replicas: [{ ...replica, placed: null, memory: null, ...changes }] })
      .starting
  const reported = { state: 'pulling', engine: null, backend: null }
  expect(startsOf({ reported })).toMatchObject([{ id: replica.spec.id, engine: null }])
  expect(startsOf({ reported: { ...reported, state: 'failed' } })).toEqual([])
  expect(startsOf({ memory: memoryOf(2 * gibi) })).toEqual([])
})

describe('memory that devices share is counted once', () => {
  const machine = (usedGibi: number): Device => ({
    ...gpu,
    vendor: 'cpu',
    memoryBytes: 32 * gibi,
    usedMemoryBytes: usedGibi * gibi,
    memory: {
      ...gpu.memory,
      dedicated: null,
      unified: { totalBytes: 32 * gibi, usedBytes: usedGibi * gibi },
    },
  })
  const mapped: Device = {
    ...gpu,
    vendor: 'amd',
    memoryBytes: 16 * gibi,
    usedMemoryBytes: 6 * gibi,
    memory: {
      ...gpu.memory,
      dedicated: null,
      shared: { totalBytes: 16 * gibi, usedBytes: 6 * gibi },
    },
  }
  const foreign = (devices: readonly Device[], taken: readonly object[]) => {
    const running = { ...replica, placed: null, memory: { devices: taken } }
    const { nodes, replicas } = read({
      nodes: [{ ...node, inventory: { devices } }],
      replicas: [running],
    })
    const free = nodes[0]?.devices.map(({ id, foreignBytes }) => [id, foreignBytes / gibi])
    return { foreign: Object.fromEntries(free ?? []), replica: replicas[0] }
  }

  test('what a GPU maps of the memory of the machine is used there, and not by others', () => {
    const of = foreign(
      [mapped, machine(9)],
      [
        { vendor: 'amd', index: 0, takenBytes: 6 * gibi },
        { vendor: 'cpu', index: 0, takenBytes: 5 * gibi, mappedBytes: 4.5 * gibi },
      ],
    )
    expect(of.foreign).toEqual({ 'amd-0': 0, 'cpu-0': 3 })
    expect(of.replica).toMatchObject({
      devices: ['amd-0'],
      measuredBytes: { 'amd-0': 6 * gibi },
    })
  })

  test('files that are mapped are held, and are not among what is used', () => {
    const taken = { vendor: 'cpu', index: 0, takenBytes: 6 * gibi, mappedBytes: 5 * gibi }
    const of = foreign([machine(4)], [taken])
    expect(of.foreign).toEqual({ 'cpu-0': 3 })
    expect(of.replica).toMatchObject({ measuredBytes: { 'cpu-0': 6 * gibi } })
  })

  test('a GPU with memory of its own has its process in that of the machine besides', () => {
    const of = foreign(
      [gpu, machine(4)],
      [
        { vendor: 'nvidia', index: 0, takenBytes: 3 * gibi },
        { vendor: 'cpu', index: 0, takenBytes: 6 * gibi, mappedBytes: 5 * gibi },
      ],
    )
    expect(of.foreign).toEqual({ 'nvidia-0': 0, 'cpu-0': 3 })
    expect(of.replica).toMatchObject({
      devices: ['nvidia-0'],
      measuredBytes: { 'nvidia-0': 3 * gibi, 'cpu-0': gibi },
    })
  })
})

test('a correction is of the GPU that was taken most of, beside what had been reckoned', () => {
  const devices = [
    // The process, with the files that it was loaded from.
    { vendor: 'cpu', index: null, takenBytes: 7 * gibi },
    { vendor: 'nvidia', index: 0, takenBytes: 5 * gibi },
  ]
  const kind = { engine: 'vllm', backend: 'cuda', model: 'm', quantization: null }
  const measured = { ...kind, node: 'node-1', contextTokens: 8192, slots: 4, devices }
  const reckoned = { ...measured, estimatedBytes: { 'nvidia-0': 4 * gibi } }
  expect(read({ nodes: [node], memory: [measured, reckoned] }).memory).toMatchObject([
    { takenBytes: 5 * gibi, estimatedBytes: null },
    { takenBytes: 5 * gibi, estimatedBytes: 4 * gibi },
  ])
})

test('slices of one GPU are told apart', () => {
  const slices = [gpu, { ...gpu, partition: '3g.40gb' }, { ...gpu, index: 1 }]
  const [sliced] = read({ nodes: [{ ...node, inventory: { devices: slices } }] }).nodes
  expect(sliced?.devices.map(({ id }) => id)).toEqual(['nvidia-0', 'nvidia-0.1', 'nvidia-1'])
})

test('what another version wrote is passed over, and the rest is read', () => {
  const inventory = { os: 'plan9', devices: [{ vendor: 'quantum' }, gpu], engines: [{ x: 1 }] }
  const { nodes, replicas } = read({
    nodes: [{ ...node, inventory, invented: true }],
    replicas: [{ spec: 'what' }],
  })
  expect(nodes[0]).toMatchObject({ os: 'linux', engines: [] })
  expect(nodes[0]?.devices).toHaveLength(1)
  expect(replicas).toEqual([])
})
