import { expect, test } from 'vitest'
import { sharedMachines } from '#cli/shared-machines.ts'

const node = (name: string, machine?: string, presence = 'ready') => ({
  ...{ name, presence },
  inventory: machine === undefined ? null : { machine, devices: [] },
})

test('two agents on one machine are told with what to do', () => {
  expect(sharedMachines([node('a', 'm1'), node('b', 'm2'), node('c', 'm1')])).toEqual([
    'a and c are agents on one machine, so its memory is counted twice: stop all but one ("motley nodes revoke c" takes one out)',
  ])
})

test('a lost node offers nothing, and one that tells no machine is nobody else', () => {
  expect(sharedMachines([node('a', 'm1'), node('b', 'm1', 'lost')])).toEqual([])
  expect(sharedMachines([node('a'), node('b')])).toEqual([])
  expect(sharedMachines(undefined)).toEqual([])
})
