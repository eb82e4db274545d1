import { expect, test } from 'vitest'
import { machineMark } from '#agent/machine-mark.ts'

test.runIf(process.platform === 'linux')(
  'agents on one machine have the same mark, which is not the id of the boot',
  async () => {
    const [one, other] = [await machineMark('linux'), await machineMark('linux')]
    expect(one).toMatch(/^[0-9a-f]{32}$/)
    expect(other).toBe(one)
  },
)

test('where nobody can tell there is no mark', async () => {
  expect(await machineMark('win32')).toBeNull()
})
