import { expect, test } from 'vitest'
import { namingProblems } from '#placement/naming-problems.ts'
import { cpu, deployment, inventory, nvidia, placementNode } from '#testing/placement-input.ts'

const fleet = inventory([placementNode('khelben', [nvidia(24), cpu(64)]), placementNode('new', [])])

test.each([
  { said: { khelben: { devices: { 'nvidia-0': {} } } }, problems: [] },
  {
    said: { khelbn: { devices: {} } },
    problems: ['nodes.khelbn: no node called khelbn has joined; did you mean khelben?'],
  },
  {
    said: { 'not-yet-bought': { devices: {} } },
    problems: ['nodes.not-yet-bought: no node called not-yet-bought has joined'],
  },
  {
    said: { khelben: { devices: { 'amd-0': {} } } },
    problems: ['nodes.khelben.devices.amd-0: khelben has no such device; it has nvidia-0, cpu-0'],
  },
  { said: { new: { devices: { 'amd-0': {} } } }, problems: [] },
])('of $said it is said: $problems', ({ said, problems }) => {
  expect(namingProblems(said, [], fleet)).toEqual(problems)
})

test('a constraint that names a node nobody has is a problem, too', () => {
  const { constraints } = deployment('chat', 8)
  const chat = deployment('chat', 8, {
    constraints: { ...constraints, nodes: ['khelben', 'elsewhere'] },
  })
  expect(namingProblems({}, [chat], fleet)).toEqual([
    'deployments.chat.constraints.nodes: no node called elsewhere has joined',
  ])
})
