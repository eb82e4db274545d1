/** The memory that a replica takes is measured when it is loaded, and kept. */
import { spawn } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { MemoryMeasurement } from '#controller/cluster-state.ts'
import type { ReplicaView } from '#controller/fleet-views.ts'
import { afterTest } from './harness/after-test.ts'
import { dataFolder, type OneMachine, oneMachine } from './harness/one-machine.ts'
import { untilTrue } from './harness/until-true.ts'

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))
const weights = here('models/motley-tiny.gguf')

async function untilMeasured(machine: OneMachine, id: string): Promise<ReplicaView> {
  let replica: ReplicaView | null = null
  const look = async () => {
    replica = await machine.admin<ReplicaView>(`replicas/${id}`)
    return replica.memory !== null && replica.reported?.state === 'ready'
  }
  await untilTrue('its memory is measured', look, { everyMs: 20, seen: () => replica })
  return replica as unknown as ReplicaView
}

const measurements = (machine: OneMachine) =>
  machine.admin<{ memory: MemoryMeasurement[] }>('measurements')

test('the embedded engine takes what the system says its process has, and that outlives a restart', async () => {
  dataFolder()
  const before = await oneMachine()
  const { id } = await before.admin<{ id: string }>('replicas', 'POST', {
    node: before.node,
    replica: {
      model: 'tiny',
      source: `file:${weights}`,
      engine: 'motley-embedded',
      backend: 'cpu',
      deviceIndexes: null,
      contextTokens: 256,
      slots: 2,
      kind: 'native',
      extraArguments: [],
    },
  })
  const { memory, reported } = await untilMeasured(before, id)
  expect(memory).toMatchObject({
    engine: 'motley-embedded',
    backend: 'cpu',
    model: 'tiny',
    contextTokens: 256,
    slots: 2,
    weightsBytes: statSync(weights).size,
    engineVersion: expect.any(String),
    devices: [{ vendor: 'cpu', index: 0, source: 'processes' }],
  })
  const takenBytes = memory?.devices[0]?.takenBytes ?? 0
  expect(takenBytes).toBeGreaterThan(statSync(weights).size)
  if (process.platform === 'linux') {
    const status = readFileSync(`/proc/${reported?.pid}/status`, 'utf8')
    const residentBytes = Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]) * 1_024
    expect(takenBytes / residentBytes).toBeGreaterThan(0.5)
    expect(takenBytes / residentBytes).toBeLessThan(2)
  }
  expect((await measurements(before)).memory).toEqual([memory])
  const info = await new Promise<string>((resolve) => {
    const args = [here('bin/motley'), 'replica', 'info', id, '--url', before.url]
    const child = spawn(process.execPath, args, { cwd: '/' })
    let out = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.on('close', () => resolve(out))
  })
  expect(info).toMatch(
    new RegExp(`^  memory    ${(takenBytes / 1e6).toFixed(0)}(\\.\\d)? MB on `, 'm'),
  )
  await before.close()

  const machine = await oneMachine()
  afterTest(async () => {
    await machine.admin(`replicas/${id}`, 'DELETE')
    await untilTrue('the replica is gone', async () => {
      const { replicas } = await machine.admin<{ replicas: unknown[] }>('replicas')
      return replicas.length === 0
    })
  })
  const again = await untilMeasured(machine, id)
  // The next agent took over an engine that was loaded long ago: it measures nothing anew.
  expect(again.reported).toMatchObject({ pid: reported?.pid, memory: null })
  expect(again.memory).toEqual(memory)
  expect((await measurements(machine)).memory).toEqual([memory])
})
