/** A replica that was given a GPU and computes on the CPU: every place where people look says so. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { chat } from './harness/fleet.ts'
import { dataFolder, oneMachine } from './harness/one-machine.ts'
import { untilTrue } from './harness/until-true.ts'

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

function motley(...args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [here('bin/motley'), ...args], { cwd: '/' })
    let out = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.on('close', () => resolve(out))
  })
}

test('the embedded engine on an RTX 4090 that is not there answers, and alarms in status, replicas, doctor and metrics', async () => {
  dataFolder()
  const machine = await oneMachine([], here('fixtures/hardware/nvidia/rtx-4090'))
  const { id } = await machine.admin<{ id: string }>('replicas', 'POST', {
    node: machine.node,
    replica: {
      model: 'tiny',
      source: `file:${here('models/motley-tiny.gguf')}`,
      engine: 'motley-embedded',
      backend: 'cuda',
      deviceIndexes: null,
      contextTokens: 256,
      slots: 1,
      kind: 'native',
      extraArguments: [],
    },
  })
  afterTest(async () => {
    await machine.admin(`replicas/${id}`, 'DELETE')
    await untilTrue('the replica is gone', async () => {
      const { replicas } = await machine.admin<{ replicas: unknown[] }>('replicas')
      return replicas.length === 0
    })
  })
  await untilTrue('it answers', async () => {
    const { status } = await chat(machine.url, { model: 'tiny', max_tokens: 4 })
    return status === 200
  })

  const alarm = /None of its \d+ layers is on the GPU: it computes on the CPU\./
  const reported = async () =>
    await machine.admin<{ reported: { alarms: string[] } | null }>(`replicas/${id}`)
  await untilTrue(
    'the alarm is raised',
    async () => (await reported()).reported?.alarms.length === 1,
  )
  expect((await reported()).reported?.alarms).toEqual([expect.stringMatching(alarm)])
  const metrics = await (await fetch(`${machine.url}/metrics`)).text()
  expect(metrics).toContain(`motley_replica_alarms{node="${machine.node}",replica="${id}"} 1\n`)
  const line = new RegExp(`^! ${id}: ${alarm.source}`, 'm')
  expect(await motley('status', '--url', machine.url)).toMatch(line)
  expect(await motley('replicas', '--url', machine.url)).toMatch(line)
  expect(await motley('doctor')).toMatch(`warning: Replica ${id}: None of its`)
})
