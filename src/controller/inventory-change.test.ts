import { expect, test } from 'vitest'
import { hasFreedMemory, isLastingChange } from '#controller/inventory-change.ts'
import { reportedInventory } from '#protocol/agent-messages.ts'

const inventory = (gpu: object = {}, more: object = {}) =>
  reportedInventory.parse({
    os: 'linux',
    devices: [
      {
        vendor: 'nvidia',
        name: 'RTX 4090',
        memoryBytes: 24e9,
        usedMemoryBytes: 1e9,
        memory: { dedicated: { totalBytes: 24e9, usedBytes: 1e9 } },
        temperatureCelsius: 40,
        ...gpu,
      },
    ],
    ...more,
  })

test.each([
  { name: 'load', gpu: { usedMemoryBytes: 9e9, utilizationRatio: 0.9 }, lasting: false },
  { name: 'warmth', gpu: { temperatureCelsius: 80, powerWatts: 400 }, lasting: false },
  {
    name: 'use of a pool',
    gpu: { memory: { dedicated: { totalBytes: 24e9, usedBytes: 9e9 } } },
    lasting: false,
  },
  {
    name: 'size of a pool',
    gpu: { memory: { dedicated: { totalBytes: 48e9, usedBytes: 1e9 } } },
    lasting: true,
  },
  { name: 'a driver', gpu: { driverVersion: '580' }, lasting: true },
  { name: 'another card', gpu: { name: 'RTX 5090' }, lasting: true },
])('$name is worth writing down: $lasting', ({ gpu, lasting }) => {
  expect(isLastingChange(inventory(), inventory(gpu))).toBe(lasting)
})

test('the first inventory is news, and so is a card that is gone', () => {
  expect(isLastingChange(null, inventory())).toBe(true)
  expect(isLastingChange(inventory(), inventory({}, { devices: [] }))).toBe(true)
})

test.each([
  { name: 'a game that was closed', before: 9e9, now: 1e9, freed: true },
  { name: 'a page that was closed', before: 1.2e9, now: 1e9, freed: false },
  { name: 'a model that was loaded', before: 1e9, now: 9e9, freed: false },
  { name: 'a driver that no longer tells', before: 9e9, now: null, freed: false },
])('$name has freed memory: $freed', ({ before, now, freed }) => {
  const used = (usedMemoryBytes: number | null) => inventory({ usedMemoryBytes })
  expect(hasFreedMemory(used(before), used(now))).toBe(freed)
})

test('the memory of a device that has gone is not free', () => {
  expect(hasFreedMemory(inventory({ usedMemoryBytes: 9e9 }), inventory({}, { devices: [] }))).toBe(
    false,
  )
  expect(hasFreedMemory(null, inventory())).toBe(false)
})
