import { expect, test } from 'vitest'
import { type MemoryLook, takenMemory } from '#agent/taken-memory.ts'
import type { Device } from '#core/device.ts'

const gpu = {
  vendor: 'nvidia',
  index: 1,
  name: 'NVIDIA L40S',
  usedMemoryBytes: 9_000,
  memoryUsers: [
    { pid: 412, name: 'llama-server', usedMemoryBytes: 6_000 },
    { pid: 415, name: 'llama-server', usedMemoryBytes: 500 },
    { pid: 7, name: 'Xorg', usedMemoryBytes: 300 },
  ],
} as unknown as Device

const cpu = { vendor: 'cpu', index: 0, name: 'EPYC', usedMemoryBytes: 50_000 } as unknown as Device

const look: MemoryLook = {
  devices: [gpu],
  allDevices: [gpu, cpu],
  usedBefore: new Map([
    ['nvidia:1', 2_000],
    ['cpu:0', 49_000],
  ]),
  processes: [
    { pid: 412, residentBytes: 700, mappedBytes: 600 },
    { pid: 415, residentBytes: 100, mappedBytes: 0 },
  ],
}

const onCpu = {
  vendor: 'cpu',
  index: 0,
  name: 'EPYC',
  takenBytes: 800,
  mappedBytes: 600,
  source: 'processes',
}

test.each<{ what: string; change: Partial<MemoryLook>; taken: readonly unknown[] }>([
  {
    what: 'what the driver says of its processes counts before any difference',
    change: {},
    taken: [{ vendor: 'nvidia', takenBytes: 6_500, source: 'processes' }, onCpu],
  },
  {
    what: 'a driver that names no processes leaves the difference to before',
    change: { devices: [{ ...gpu, memoryUsers: null }] },
    taken: [{ takenBytes: 7_000, source: 'difference' }, onCpu],
  },
  {
    what: 'a driver that does not say how much each has leaves the difference',
    change: {
      devices: [{ ...gpu, memoryUsers: [{ pid: 412, name: null, usedMemoryBytes: null }] }],
    },
    taken: [{ takenBytes: 7_000, source: 'difference' }, onCpu],
  },
  {
    what: 'when others came between, the difference says nothing',
    change: { devices: [{ ...gpu, memoryUsers: null }], usedBefore: null },
    taken: [onCpu],
  },
  {
    what: 'less than before is somebody else who left',
    change: { devices: [{ ...gpu, memoryUsers: null, usedMemoryBytes: 1_000 }] },
    taken: [onCpu],
  },
  {
    what: 'of a container only differences are known',
    change: { processes: null },
    taken: [
      { vendor: 'nvidia', takenBytes: 7_000, source: 'difference' },
      { vendor: 'cpu', takenBytes: 1_000, source: 'difference' },
    ],
  },
  { what: 'on the CPU alone', change: { devices: [cpu] }, taken: [onCpu] },
  { what: 'nothing runs any more', change: { devices: [cpu], processes: [] }, taken: [] },
])('$what', ({ change, taken }) => {
  expect(takenMemory({ ...look, ...change })).toMatchObject(taken)
})
