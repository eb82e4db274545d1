/** An engine dies, and another program takes its port before it is started again. */
import { createServer, type Server } from 'node:net'
import { expect, test } from 'vitest'
import type { ReplicaView } from '#controller/fleet-views.ts'
import { afterTest } from './harness/after-test.ts'
import { chat } from './harness/fleet.ts'
import { replicaWanted } from './harness/fleet-nodes.ts'
import { dataFolder, oneMachine } from './harness/one-machine.ts'
import { packageFile } from './harness/package-file.ts'
import { untilTrue } from './harness/until-true.ts'

/** Null where somebody else has the port. */
function listening(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => resolve(server))
    afterTest(() => server.close())
  })
}

test('a replica whose port is taken while it is down answers from another one', {
  timeout: 90_000,
}, async () => {
  dataFolder()
  const machine = await oneMachine()
  const source = `file:${packageFile('models/motley-tiny.gguf')}`
  const { id } = await machine.admin<{ id: string }>('replicas', 'POST', {
    node: machine.node,
    replica: replicaWanted(source, 'tiny'),
  })
  const report = async () => (await machine.admin<ReplicaView>(`replicas/${id}`)).reported
  await machine.untilState(id, 'ready')
  const before = await report()
  process.kill(before?.pid ?? 0, 'SIGKILL')
  let other: Server | null = null
  // It is free as soon as the engine is gone, and for the second that the back-off takes.
  await untilTrue('the port is ours', async () => {
    other = await listening(before?.port ?? 0)
    return other !== null
  })
  await untilTrue(
    'it is ready again',
    async () => {
      const { state, restarts } = (await report()) ?? {}
      return state === 'ready' && restarts === 1
    },
    { withinMs: 30_000, seen: () => machine.log },
  )
  expect((await report())?.port).not.toBe(before?.port)
  await untilTrue('it answers', async () => {
    return (await chat(machine.url, { model: 'tiny', max_tokens: 2 })).status === 200
  })
  expect(other).toMatchObject({ listening: true })
  await machine.admin(`replicas/${id}`, 'DELETE')
  const gone = async () => (await machine.admin<{ replicas: unknown[] }>('replicas')).replicas
  await untilTrue('it is gone', async () => (await gone()).length === 0)
})
