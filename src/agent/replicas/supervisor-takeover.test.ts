/** Engines outlive their supervisor: what the next one finds, takes over, or leaves alone. */
import { spawn } from 'node:child_process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isRunning, markOf } from '#agent/replicas/process-mark.ts'
import { openTestBench, until } from '#agent/replicas/test-engine.ts'
import { answering, isAlive, kill9, SupervisorWorld } from '#agent/replicas/test-supervisor.ts'
import { systemClock } from '#std/clock.ts'

let world: SupervisorWorld
beforeEach(async () => {
  world = new SupervisorWorld(await openTestBench())
})
afterEach(() => world.close())

test('a supervisor that is closed leaves its engines; the next one takes them over', async () => {
  await world.open()
  const spec = await world.bench.spec('chat-0', ['family'], { about: { model: 'qwen' } })
  const pid = await world.startReady(spec)
  await world.supervisor.close()
  expect(await isAlive(pid)).toBe(true)
  await world.open()
  expect(world.status('chat-0')).toMatchObject({ state: 'ready', pid, restarts: 0, lastExit: null })
  expect(world.supervisor.specOf(spec.id)).toEqual(spec)
  // Asking again for what runs changes nothing.
  await world.supervisor.start(spec)
  expect(world.status('chat-0')).toMatchObject({ state: 'ready', pid })
  const pids = await world.family('chat-0', 3)
  await world.supervisor.stop(spec.id)
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
})

test('an agent that is killed comes back to its running replica, and watches it as before', async () => {
  const spec = await world.bench.spec('chat-0', ['family'])
  const { agent, pid } = await world.supervisingProcess(spec)
  await kill9(agent)
  expect((await answering(spec.port)).pid).toBe(pid)
  await world.open()
  expect(world.status('chat-0')).toMatchObject({ pid, restarts: 0, lastExit: null })
  await world.untilState('chat-0', 'ready')
  const pids = await world.family('chat-0', 3)
  // Not our child: nobody tells us of its end.
  process.kill(pid, 'SIGKILL')
  await until('it was started again', () => world.status('chat-0').restarts === 1)
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
  await world.untilState('chat-0', 'ready')
  expect(world.status('chat-0').lastExit).toMatchObject({ code: null, signal: null })
})

test('an engine that ended while no agent was there counts as ended and starts again', async () => {
  const spec = await world.bench.spec('chat-0', ['family'])
  const { agent, pid } = await world.supervisingProcess(spec)
  const pids = await world.family('chat-0', 3)
  await kill9(agent)
  process.kill(pid, 'SIGKILL')
  await until('it is gone', async () => !(await isAlive(pid)))
  await world.open()
  expect(world.status('chat-0')).toMatchObject({ state: 'backing-off', lastExit: { signal: null } })
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
  await world.untilState('chat-0', 'ready')
})

// Other systems do not show the environment of a process.
test.runIf(process.platform === 'linux')(
  'an engine started just before the agent died is found',
  async () => {
    await world.open()
    const spec = await world.bench.spec('chat-0')
    const pid = await world.startReady(spec)
    await world.supervisor.close()
    // As it was written down before the start; what came after was lost.
    await world.changeRecord('chat-0', (record: { machine: object }) => ({
      ...record,
      mark: null,
      machine: { ...record.machine, state: 'starting', process: 'launching', readyAtMs: null },
    }))
    await world.open()
    expect(world.status('chat-0')).toMatchObject({ pid, restarts: 0, lastExit: null })
    await world.untilState('chat-0', 'ready')
    expect((await answering(spec.port)).pid).toBe(pid)
  },
)

test('a process that has got the number of a dead engine is left alone', async () => {
  await world.open()
  const spec = await world.bench.spec('chat-0')
  const pid = await world.startReady(spec)
  await world.supervisor.close()
  process.kill(pid, 'SIGKILL')
  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    detached: true,
  })
  world.endLater(bystander)
  const mark = await markOf(bystander.pid as number)
  await world.changeRecord('chat-0', (record: { mark: object }) => ({
    ...record,
    mark: { ...record.mark, pid: bystander.pid },
  }))
  await world.open()
  expect(world.status('chat-0').state).toBe('backing-off')
  await world.supervisor.stop(spec.id)
  expect(mark !== null && (await isRunning(mark))).toBe(true)
})

test('a stop that the agent could not finish is finished by the next one', async () => {
  await world.open()
  const spec = await world.bench.spec('deaf-0', ['deaf'], {
    stop: { signal: 'SIGTERM', graceMs: 1_000 },
  })
  const pid = await world.startReady(spec)
  const stopping = expect(world.supervisor.stop(spec.id)).rejects.toThrow('the next supervisor')
  await until('it stops', () => world.status('deaf-0').state === 'stopping')
  await world.supervisor.close()
  await stopping
  expect(await isAlive(pid)).toBe(true)
  await world.open()
  expect(world.status('deaf-0')).toMatchObject({ state: 'stopping', pid })
  await world.untilState('deaf-0', 'stopped')
  expect(await isAlive(pid)).toBe(false)
})

test('a stop that was written down but never sent is sent by the next one', async () => {
  await world.open()
  const spec = await world.bench.spec('chat-0')
  await world.startReady(spec)
  await world.supervisor.close()
  await world.changeRecord('chat-0', (record: { machine: object }) => ({
    ...record,
    machine: { ...record.machine, state: 'stopping', dueAtMs: systemClock.nowMs() + 60_000 },
  }))
  await world.open()
  await world.untilState('chat-0', 'stopped')
})
