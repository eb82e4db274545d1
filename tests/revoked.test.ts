/** A node that is taken out of the fleet: what ran there for it ends, what is somebody else's goes on. */
import { expect, test } from 'vitest'
import { isGroupRunning } from '#agent/replicas/process-mark.ts'
import { engine } from './harness/fleet.ts'
import { controller, node, replicaWanted } from './harness/fleet-nodes.ts'
import { packageFile } from './harness/package-file.ts'
import { untilTrue } from './harness/until-true.ts'

test('the replicas of a revoked node end with their whole process groups; an attached engine goes on', async () => {
  const fleet = await controller()
  const refusals: string[] = []
  await node(fleet, 'desk', { onRefused: (code) => refusals.push(code) })
  const foreign = await engine({ engine: 'ollama', models: ['theirs'] })
  await fleet.attach('desk', String(foreign.port), null)
  const weights = `file:${packageFile('models/motley-tiny.gguf')}`
  for (const model of ['one', 'two']) fleet.startReplica('desk', replicaWanted(weights, model))
  const reports = () => fleet.replicas().map(({ reported }) => reported)
  await untilTrue(
    'both are ready',
    () => reports().length === 2 && reports().every((one) => one?.state === 'ready'),
    { withinMs: 30_000, seen: reports },
  )
  const pids = reports().map((one) => one?.pid ?? 0)
  expect(await Promise.all(pids.map(isGroupRunning))).toEqual([true, true])

  fleet.revoke('desk')
  await untilTrue('the agent has left', () => refusals.length > 0, { withinMs: 20_000 })
  expect(refusals).toEqual(['revoked'])
  expect(await Promise.all(pids.map(isGroupRunning))).toEqual([false, false])
  expect((await fetch(`${foreign.url}/api/tags`)).status).toBe(200)
  expect([fleet.nodes(), fleet.replicas(), fleet.attached()]).toEqual([[], [], []])
})
