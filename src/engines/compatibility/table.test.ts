import { describe, expect, test } from 'vitest'
import { architectureFit } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'
import { cudaFamilies, driverBranches, gfxRelatives } from '#engines/compatibility/runtimes.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import { isOlderVersion } from '#std/version.ts'

describe.each(engineIds)('%s', (id) => {
  const { supports, capabilities, links } = compatibilityOf(id)

  test('has a source for each row', () => {
    const rows = [...supports, ...supports.flatMap((one) => one.exceptions ?? [])]
    for (const { source } of [...rows, ...capabilities, ...links]) {
      expect(source.length).toBeGreaterThan(5)
    }
  })

  test('asks for a driver that runs the CUDA it asks for', () => {
    for (const { minimums } of supports) {
      const { drivers, runtimes } = minimums
      if (runtimes?.cuda === undefined) continue
      const family = cudaFamilies.find(({ cuda }) => cuda === runtimes.cuda)
      const branch = driverBranches.find(({ cuda }) => cuda === runtimes.cuda)
      const oldest = family?.drivers.linux ?? String(branch?.branch)
      expect(isOlderVersion(drivers?.linux ?? '0', oldest)).toBe(false)
    }
  })

  test('says one thing of each capability', () => {
    const names = capabilities.map(({ capability }) => capability)
    expect(names).toEqual([...new Set(names)])
  })

  test('lends code only of architectures that it has', () => {
    for (const { architectures } of supports) {
      if (architectures.kind !== 'names') continue
      for (const relative of Object.values(architectures.relatives ?? {})) {
        expect(architectureFit(architectures, relative.architecture).kind).toBe('runs')
      }
    }
  })
})

test('newer drivers run newer CUDA', () => {
  const newestLast = driverBranches.toSorted((one, other) => one.branch - other.branch)
  expect(driverBranches).toEqual(newestLast)
  for (const [at, { cuda }] of driverBranches.entries()) {
    expect(isOlderVersion(driverBranches[at + 1]?.cuda ?? '99', cuda)).toBe(false)
  }
})

test.each([
  ['gfx90c', '9.0.0'],
  ['gfx1031', '10.3.0'],
  ['gfx1036', '10.3.0'],
  ['gfx1102', '11.0.0'],
  ['gfx1103', '11.0.0'],
  ['gfx1152', '11.5.1'],
])('%s is told to be %s', (architecture, value) => {
  expect(gfxRelatives[architecture]?.value).toBe(value)
})
