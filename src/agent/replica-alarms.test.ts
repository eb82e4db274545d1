/** Alarms of engines that are real processes, below a real supervisor. */
import { afterEach, expect, test } from 'vitest'
import { ReplicaAlarms } from '#agent/replica-alarms.ts'
import { processLauncher } from '#agent/replicas/engine-process.ts'
import type { ReplicaSpec } from '#agent/replicas/replica-spec.ts'
import { openSupervisor, type Supervisor } from '#agent/replicas/supervisor.ts'
import {
  openTestBench,
  probeTestEngine,
  type TestBench,
  until,
} from '#agent/replicas/test-engine.ts'
import { readStoredAlarms } from '#agent/stored-alarms.ts'
import { systemClock } from '#std/clock.ts'

const cleanups: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

interface Rig {
  readonly supervisor: Supervisor
  readonly alarms: ReplicaAlarms
  readonly log: readonly string[]
  /** As an agent ends: its engines run on. */
  leave(): Promise<void>
}

async function rig(bench: TestBench): Promise<Rig> {
  const log: string[] = []
  const supervisor = await openSupervisor({
    dataDirectory: bench.directory,
    launcher: processLauncher(systemClock),
    probe: probeTestEngine,
    warn: (line) => log.push(line),
  })
  const alarms = new ReplicaAlarms({
    directory: bench.directory,
    supervisor,
    clock: systemClock,
    onChange: () => {},
    log: (line) => log.push(line),
  })
  let left = false
  const end = async (close: () => Promise<void>): Promise<void> => {
    if (left) return
    left = true
    alarms.close()
    await close()
  }
  cleanups.push(() => end(() => supervisor.closeAndStop()))
  return { supervisor, alarms, log, leave: () => end(() => supervisor.close()) }
}

async function testBench(): Promise<TestBench> {
  const bench = await openTestBench()
  cleanups.push(() => bench.close())
  return bench
}

const offload = 'load_tensors: offloaded 12/33 layers to GPU'
const alarm = expect.stringMatching(/^Only 12 of its 33 layers are on the GPU/)

const onGpu = { about: { engine: 'llama-server', backend: 'cuda' } }

async function start(rigged: Rig, spec: ReplicaSpec): Promise<void> {
  await rigged.supervisor.start(spec)
  await until(`${spec.id} is ready`, () =>
    rigged.supervisor.list().some(({ id, state }) => id === spec.id && state === 'ready'),
  )
}

test('what an engine wrote at its start is an alarm once it is ready, told once and written down', async () => {
  const bench = await testBench()
  const rigged = await rig(bench)
  const spec = await bench.spec('chat-1', [`says=${offload}`], onGpu)
  await start(rigged, spec)
  await until('the alarm is raised', () => rigged.alarms.of('chat-1').length > 0)
  expect(rigged.alarms.of('chat-1')).toEqual([alarm])
  expect(rigged.log.filter((line) => line.startsWith('chat-1: Only 12'))).toHaveLength(1)
  expect(readStoredAlarms(bench.directory)).toMatchObject([{ replica: 'chat-1', fromLog: [alarm] }])
  await rigged.supervisor.stop(spec.id)
  expect(rigged.alarms.of('chat-1')).toEqual([])
  expect(readStoredAlarms(bench.directory)).toEqual([])
})

test('on the CPU, where it was meant to be, it is none', async () => {
  const bench = await testBench()
  const rigged = await rig(bench)
  const spec = await bench.spec('cpu-1', [`says=${offload}`], {
    about: { engine: 'llama-server', backend: 'cpu' },
  })
  const other = await bench.spec('gpu-1', [`says=${offload}`], onGpu)
  await start(rigged, spec)
  await start(rigged, other)
  await until('the other alarm is raised', () => rigged.alarms.of('gpu-1').length > 0)
  expect(rigged.alarms.of('cpu-1')).toEqual([])
})

test('a benchmark adds its own, the next agent still knows it, and a better one takes it back', async () => {
  const bench = await testBench()
  const first = await rig(bench)
  const spec = await bench.spec('chat-1', [], onGpu)
  await start(first, spec)
  first.alarms.noteBenchmark(spec.id, 'It writes 8.1 tokens/s.')
  await first.leave()

  const next = await rig(bench)
  expect(next.alarms.of('chat-1')).toEqual(['It writes 8.1 tokens/s.'])
  next.alarms.noteBenchmark(spec.id, null)
  expect(next.alarms.of('chat-1')).toEqual([])
  expect(readStoredAlarms(bench.directory)).toMatchObject([{ fromBenchmark: null }])
})
