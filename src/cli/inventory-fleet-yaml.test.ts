import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { fleetYaml } from '#cli/inventory-fleet-yaml.ts'
import type { InventoryFleet } from '#simulator/inventory-fleet.ts'

const stepTime = {
  baseMs: 8.123456789,
  prefillMsPerToken: 0.12345678901,
  decodeMsPerSequence: 0.12345678901,
  kvMsPerToken: 0.0000123456789,
}
const endpoint = { name: 'a-node-with-a-long-name-nvidia-0', stepTime, slots: 8 }
const fleet = {
  endpoints: [{ ...endpoint, basis: `measured ${'as words go on '.repeat(8)}` }],
  unknown: Array.from(
    { length: 4 },
    () => 'box: Intel(R) Xeon(R) Platinum 8462Y+ with a long name',
  ),
} as unknown as InventoryFleet

test('a fleet file fits a terminal, names what is left out once, and is read as it was meant', () => {
  const text = fleetYaml(fleet)
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(text.match(/Left out/g)).toHaveLength(1)
  expect(text.replace(/\n# +/g, ' ')).toContain('4 × box: Intel(R) Xeon(R)')
  expect(parse(text)).toEqual({ endpoints: [endpoint] })
})
