/** The keeper over real engines and a real supervisor; its own clock is the test's. */
import { writeFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import type { LocalWeights } from '#agent/node-weights.ts'
import { type KeeperOptions, ReplicaKeeper } from '#agent/replica-keeper.ts'
import { processLauncher } from '#agent/replicas/engine-process.ts'
import { openSupervisor, type Supervisor } from '#agent/replicas/supervisor.ts'
import {
  fastClock,
  freePort,
  openTestBench,
  probeTestEngine,
  type TestBench,
  until,
} from '#agent/replicas/test-engine.ts'
import { replicaId } from '#core/ids.ts'
import { motleyEmbedded } from '#engines/motley-embedded.ts'
import type { ReportedReplica } from '#protocol/agent-messages.ts'
import { systemClock } from '#std/clock.ts'
import { HeldClock } from '#testing/held-clock.ts'
import { wishedReplica } from '#testing/wished-replica.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const specOf = (id: string, words: readonly string[] = []) =>
  wishedReplica(id, { extraArguments: [...words] })

const weights: LocalWeights = {
  format: 'gguf',
  path: '/tiny.gguf',
  root: '/',
  outside: [],
  reference: 'file:/tiny.gguf',
  transferredBytes: 0,
  weightsBytes: 1_000,
}

interface World {
  readonly bench: TestBench
  readonly clock: HeldClock
  readonly supervisor: Supervisor
  readonly keeper: ReplicaKeeper
  /** Claims that stand, by label. */
  readonly claims: string[]
  readonly log: string[]
  of(id: string): ReportedReplica | undefined
  ready(id: string): Promise<number>
}

async function world(
  change: Partial<KeeperOptions> = {},
  bench?: TestBench,
  claims: string[] = [],
): Promise<World> {
  const place = bench ?? (await openTestBench())
  if (bench === undefined) cleanups.push(() => place.close())
  const clock = new HeldClock()
  const log: string[] = []
  const supervisor = await openSupervisor({
    dataDirectory: place.directory,
    launcher: processLauncher(systemClock),
    probe: probeTestEngine,
    warn: (line) => log.push(line),
    clock: fastClock(5),
  })
  const keeper = new ReplicaKeeper({
    supervisor,
    clock,
    bringWeights: async () => weights,
    async choose({ id, extraArguments }) {
      const { plan } = await place.spec(id, extraArguments)
      const [program = '', , ...words] = plan.args
      const port = await freePort()
      return {
        engine: { ...motleyEmbedded, stop: { signal: 'SIGTERM', graceMs: 1_500 } },
        backend: 'cpu',
        devices: [],
        contextTokens: 512,
        slots: 1,
        plan: {
          ...plan,
          args: [program, String(port), ...words],
          kind: 'plan',
          secretEnv: {},
          servedName: id,
          preload: null,
          container: null,
        },
        port,
        alarms: [],
      }
    },
    claim: async (_reference, label) => {
      claims.push(label)
      return { release: async () => void claims.splice(claims.indexOf(label), 1) }
    },
    untilIdle: async () => {},
    onChange: () => {},
    log: (line) => log.push(line),
    ...change,
  })
  cleanups.push(async () => {
    keeper.close()
    await supervisor.closeAndStop().catch(() => {})
  })
  const of = (id: string) => keeper.reported().find((one) => one.id === id)
  return {
    bench: place,
    clock,
    supervisor,
    keeper,
    claims,
    log,
    of,
    async ready(id) {
      await until(`${id} is ready`, () => of(id)?.state === 'ready')
      return of(id)?.pid ?? 0
    },
  }
}

test('what is wanted runs, is told once more in vain, and ends when it is not wanted', async () => {
  const { keeper, ready, of, claims, log } = await world()
  keeper.want([specOf('a')])
  expect(of('a')?.state).toBe('pulling')
  const pid = await ready('a')
  keeper.want([specOf('a')])
  keeper.want([specOf('a')])
  expect([await ready('a'), claims]).toEqual([pid, ['replica a']])
  expect(keeper.portOf('a')).toBe(of('a')?.port)
  keeper.want([])
  keeper.want([]) // told again after a short loss of the controller
  await until('it is gone, its claim too', () => of('a') === undefined && claims.length === 0)
  expect([log, keeper.portOf('a')]).toEqual([[], null])
})

test('one that is not wanted takes nothing new, finishes what it does, and then ends', async () => {
  const idle = Promise.withResolvers<void>()
  const { keeper, ready, of } = await world({ untilIdle: () => idle.promise })
  keeper.want([specOf('a')])
  const pid = await ready('a')
  keeper.want([])
  expect([of('a')?.state, of('a')?.pid, keeper.portOf('a')]).toEqual(['stopping', pid, null])
  await new Promise(setImmediate)
  expect(of('a')?.pid).toBe(pid)
  idle.resolve()
  await until('it is gone', () => of('a') === undefined)
})

const untilAborted = (_id: string, signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))

test('what does not finish within a minute is cut', async () => {
  const { keeper, ready, of, clock } = await world({ untilIdle: untilAborted })
  keeper.want([specOf('a')])
  await ready('a')
  keeper.want([])
  clock.pass(59_999)
  await new Promise(setImmediate)
  expect(of('a')?.state).toBe('stopping')
  expect(of('a')?.pid).not.toBeNull()
  clock.pass(1)
  await until('it is gone', () => of('a') === undefined)
  expect(clock.dueInMs).toEqual([])
})

test('wanted again while it finishes, it goes on as if nothing had been', async () => {
  const { keeper, ready, of, claims } = await world({ untilIdle: untilAborted })
  keeper.want([specOf('a')])
  const pid = await ready('a')
  keeper.want([])
  keeper.want([specOf('a')])
  await until('it takes requests again', () => keeper.portOf('a') !== null)
  expect([of('a')?.pid, claims]).toEqual([pid, ['replica a']])
})

test('wanted again while its engine is being ended, it is started anew, once', async () => {
  const { keeper, ready, of, supervisor, claims, log } = await world()
  keeper.want([specOf('a', ['deaf'])])
  const pid = await ready('a')
  keeper.want([])
  await until('it was told to end', () => supervisor.list()[0]?.state === 'stopping')
  keeper.want([specOf('a')])
  keeper.want([specOf('a')])
  await until('another runs', () => of('a')?.state === 'ready' && of('a')?.pid !== pid)
  expect([claims, log]).toEqual([['replica a'], []])
})

test('given up while its weights come, it is never started; wanted again, it is', async () => {
  const signals: AbortSignal[] = []
  const bring = Promise.withResolvers<LocalWeights>()
  const { keeper, ready, of, supervisor } = await world({
    bringWeights(_source, signal) {
      signals.push(signal)
      if (signals.length > 1) return bring.promise
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => setImmediate(() => reject(signal.reason)))
      })
    },
  })
  keeper.want([specOf('a')])
  keeper.want([])
  expect(signals[0]?.aborted).toBe(true)
  // Before the pull has noticed that nobody wants it.
  keeper.want([specOf('a')])
  await until('it is brought again', () => signals.length === 2)
  expect([of('a')?.state, supervisor.list()]).toEqual(['pulling', []])
  bring.resolve(weights)
  await ready('a')
})

test('given up while it is being started, it does not stay', async () => {
  let giveUp = (): void => {}
  const { keeper, of, supervisor, claims } = await world({
    claim: async () => {
      claims.push('one')
      setImmediate(giveUp)
      return { release: async () => void claims.pop() }
    },
  })
  giveUp = () => keeper.want([])
  keeper.want([specOf('a')])
  await until('it was claimed', () => claims.length === 1)
  await until('nothing is left', () => of('a') === undefined && claims.length === 0)
  expect(supervisor.list()).toEqual([])
})

test('weights that cannot be had are tried again each minute, and told of once', async () => {
  let tries = 0
  const { keeper, of, clock, log, ready } = await world({
    async bringWeights() {
      tries++
      if (tries < 4) throw new Error('hub.example cannot be reached')
      return weights
    },
  })
  keeper.want([specOf('a')])
  for (const number of [1, 2, 3]) {
    await until('it has failed', () => tries === number && of('a')?.state === 'failed')
    expect(of('a')?.detail).toBe('hub.example cannot be reached')
    clock.pass(59_999)
    keeper.want([specOf('a')]) // does not make it any sooner
    await new Promise(setImmediate)
    expect(tries).toBe(number)
    clock.pass(1)
  }
  await ready('a')
  expect(log).toEqual(['a cannot be started: hub.example cannot be reached'])
})

test('what failed and is not wanted any more is forgotten, with its timer', async () => {
  const { keeper, of, clock } = await world({
    choose: async () => {
      throw new Error('nothing here can run it')
    },
  })
  keeper.want([specOf('a')])
  await until('it has failed', () => of('a')?.state === 'failed')
  keeper.want([])
  await until('it is forgotten', () => of('a') === undefined)
  expect(clock.dueInMs).toEqual([])
})

test('a start that the supervisor refuses leaves no claim behind', async () => {
  const { keeper, of, claims } = await world()
  keeper.want([specOf('NOT A NAME')])
  await until('it has failed', () => of('NOT A NAME')?.state === 'failed')
  expect([of('NOT A NAME')?.detail, claims]).toEqual([
    expect.stringMatching(/cannot be called/),
    [],
  ])
})

test('how far the weights are is told, and not more than once a second', async () => {
  const bring = Promise.withResolvers<LocalWeights>()
  let tell = (_done: number): void => {}
  let changes = 0
  const { keeper, of, clock } = await world({
    bringWeights(_source, _signal, onProgress) {
      tell = (done) => onProgress(done, 100)
      return bring.promise
    },
    onChange: () => changes++,
  })
  keeper.want([specOf('a')])
  changes = 0
  for (let done = 1; done <= 20; done++) {
    tell(done)
    clock.pass(100)
  }
  expect(changes).toBe(2)
  expect(of('a')?.progress).toEqual({ doneBytes: 20, totalBytes: 100 })
  keeper.want([])
  bring.reject(new Error('over'))
})

test('an agent that comes back finds its engines, claims their weights, and disturbs nothing', async () => {
  const first = await world()
  first.keeper.want([specOf('a'), specOf('b')])
  const pids = [await first.ready('a'), await first.ready('b')]
  first.keeper.close()
  await first.supervisor.close()

  const second = await world({}, first.bench)
  await until('the claims are made', () => second.claims.length === 2)
  // The controller may be away for long: gateways reach the engines all the same.
  expect(second.keeper.portOf('a')).toBe(first.of('a')?.port)
  second.keeper.want([specOf('a')])
  await until('b is gone, its claim too', () => {
    return second.of('b') === undefined && second.claims.length === 1
  })
  expect([await second.ready('a'), second.claims]).toEqual([pids[0], ['replica a']])
})

test('an agent that died between ending a replica and forgetting it starts it when it is wanted', async () => {
  const first = await world()
  first.keeper.want([specOf('a')])
  const pid = await first.ready('a')
  first.keeper.close()
  await first.supervisor.stop(replicaId('a'))
  await first.supervisor.close()

  const second = await world({}, first.bench)
  expect(second.of('a')?.state).toBe('stopped')
  second.keeper.want([specOf('a')])
  expect(await second.ready('a')).not.toBe(pid)
})

test('an engine that crashes is told with its last words', async () => {
  const { keeper, of, bench } = await world()
  const crashes = `${bench.directory}/crashes`
  await writeFile(crashes, '')
  keeper.want([specOf('a', [`crashes=${crashes}`])])
  await until(
    'it backs off',
    () => (of('a')?.restarts ?? 0) > 0 || of('a')?.state === 'backing-off',
  )
  expect(of('a')?.detail).toMatch(/it has crashed/)
})

test('after it is closed it does nothing, and holds no timer', async () => {
  const { keeper, clock, ready, of } = await world({ untilIdle: untilAborted })
  keeper.want([specOf('a')])
  const pid = await ready('a')
  keeper.want([])
  keeper.close()
  keeper.want([specOf('b')])
  await new Promise(setImmediate)
  expect([clock.dueInMs, of('b'), of('a')?.pid]).toEqual([[], undefined, pid])
})

test('a replica in words that are not understood goes on as it runs, and a new one is not started', async () => {
  const { keeper, ready, of } = await world()
  keeper.want([specOf('chat-1')])
  await ready('chat-1')
  const { pid } = of('chat-1') ?? {}
  keeper.want(
    [],
    [
      { id: 'chat-1', why: 'task' },
      { id: 'chat-2', why: 'task' },
    ],
  )
  expect(of('chat-1')).toMatchObject({ state: 'ready', pid })
  expect(of('chat-2')).toMatchObject({
    state: 'failed',
    detail: expect.stringContaining('("task"): update Motley on this node.'),
  })
  keeper.want([specOf('chat-1')])
  expect(of('chat-1')).toMatchObject({ state: 'ready', pid })
  expect(of('chat-2')).toBeUndefined()
})
