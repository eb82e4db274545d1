/** When endpoints are asked, and what a reload changes; see test-endpoint.ts. */
import { afterEach, describe, expect, test } from 'vitest'
import { answer, atRest, endpoint, id, list, vllmPages, World } from '#agent/test-endpoint.ts'
import { endpointId } from '#core/ids.ts'

let world = new World()
afterEach(() => {
  world.watcher?.close()
  expect(world.clock.timers.size).toBe(0)
  world = new World()
})

describe('when it asks', () => {
  test('a ready endpoint is asked once an interval, and a bad one again after half a second', async () => {
    world.pages = vllmPages
    world.watch(endpoint())
    await world.clock.pass(3_100)
    world.pages = 'refused'
    await world.clock.pass(2_000)
    world.pages = vllmPages
    await world.clock.pass(2_100)
    expect(world.story).toEqual([
      '0 L7OK ready vllm',
      '1500 L7OK ready vllm',
      '3000 L7OK ready vllm',
      '4500 L4CON refused vllm',
      '5000 L4CON refused vllm',
      '5500 L7OK ready vllm',
      '7000 L7OK ready vllm',
    ])
  })

  test.each([0, 0.5, 0.999])(
    'silence is known within 4 s, wherever it falls (jitter %d)',
    async (random) => {
      for (let dyingAtMs = 3_000; dyingAtMs < 4_600; dyingAtMs += 100) {
        world = new World()
        world.random = random
        world.pages = vllmPages
        world.watch(endpoint())
        await world.clock.pass(dyingAtMs)
        world.pages = 'silent'
        await world.clock.pass(4_000)
        const bad = world.reports.filter(({ check }) => check.verdict === 'silent')
        expect(bad.length, `dying at ${dyingAtMs} ms`).toBeGreaterThanOrEqual(2)
        world.watcher?.close()
      }
    },
  )

  test('jitter only ever shortens an interval, by a fifth at most', async () => {
    world.pages = vllmPages
    world.random = 1
    world.watch(endpoint({ health: { intervalMs: 1_000 } }))
    await world.clock.pass(1_700)
    expect(world.reports.map(({ atMs }) => atMs)).toEqual([0, 800, 1_600])
  })

  test('checks of one endpoint never overlap, however slow it is', async () => {
    world.pages = vllmPages
    world.delayMs = 900
    const watcher = world.watch(endpoint({ health: { intervalMs: 50 } }))
    for (let step = 0; step < 100; step++) {
      watcher.checkNow(id)
      await world.clock.pass(100)
    }
    expect(world.inFlightMax).toBe(1)
    expect(world.reports.length).toBeGreaterThan(3)
  })

  test('a check takes as long as its health page did', async () => {
    world.pages = vllmPages
    world.delayMs = 40
    world.watch(endpoint({ engine: 'vllm' }))
    await world.clock.pass(500)
    expect(world.last.check.durationMs).toBe(40)
  })

  test('models are asked for when it becomes ready, every 30 s, and at once while there are none', async () => {
    const modelReads = (): number => world.asked.filter((path) => path === '/v1/models').length
    world.pages = { ...vllmPages, '/v1/models': list() }
    world.watch(endpoint({ engine: 'vllm' }))
    await world.clock.pass(3_000)
    expect(modelReads()).toBe(3)
    expect(world.last.models).toEqual([])
    world.pages = vllmPages
    await world.clock.pass(1_500)
    expect(modelReads()).toBe(4)
    await world.clock.pass(28_500)
    expect(modelReads()).toBe(4)
    expect(world.last.models).toBeNull()
    await world.clock.pass(1_500)
    expect(modelReads()).toBe(5)
    world.pages = 'refused'
    await world.clock.pass(1_500)
    world.pages = vllmPages
    await world.clock.pass(500)
    expect(modelReads()).toBe(6)
  })

  test('a load page that is not there is left alone for a while', async () => {
    world.pages = { ...vllmPages, '/metrics': answer(404, '') }
    world.watch(endpoint({ engine: 'vllm' }))
    await world.clock.pass(29_000)
    expect(world.asked.filter((path) => path === '/metrics')).toHaveLength(1)
    expect(world.reports.every(({ check }) => check.verdict === 'ready')).toBe(true)
    world.pages = vllmPages
    await world.clock.pass(2_000)
    expect(world.last.load?.runningRequests).toBe(2)
  })

  test('a load page that hangs or breaks does not make it unhealthy', async () => {
    world.pages = { ...vllmPages, '/metrics': { kind: 'answer-timeout', detail: 'no answer' } }
    world.watch(endpoint({ engine: 'vllm' }))
    await world.clock.pass(3_000)
    expect(world.reports.map(({ check }) => check.verdict)).toEqual(['ready', 'ready', 'ready'])
    expect(world.last.load).toBeNull()
  })

  test('checkNow asks at once, but not more often than every 100 ms', async () => {
    world.pages = vllmPages
    const watcher = world.watch(endpoint())
    await world.clock.pass(700)
    watcher.checkNow(id)
    watcher.checkNow(endpointId('unknown'))
    await world.clock.pass(0)
    expect(world.reports.map(({ atMs }) => atMs)).toEqual([0, 700])
    for (let step = 0; step < 50; step++) {
      watcher.checkNow(id)
      await world.clock.pass(10)
    }
    expect(world.reports.map(({ atMs }) => atMs)).toEqual([0, 700, 800, 900, 1_000, 1_100, 1_200])
  })
})

describe('a reload', () => {
  test('leaves an endpoint alone whose weight and labels alone have changed', async () => {
    world.pages = vllmPages
    const watcher = world.watch(endpoint())
    await world.clock.pass(1_000)
    watcher.update([endpoint({ weight: 5, labels: { room: 'rack' } })])
    await world.clock.pass(500)
    expect(world.story).toEqual(['0 L7OK ready vllm', '1500 L7OK ready vllm'])
    expect(world.last.models).toBeNull()
  })

  test('begins anew with an endpoint that has another key', async () => {
    world.pages = vllmPages
    const watcher = world.watch(endpoint())
    await world.clock.pass(1_000)
    watcher.update([endpoint({ apiKey: 'k' })])
    await world.clock.pass(0)
    expect(world.last).toMatchObject({ atMs: 1_000, models: [{ servedName: 'llama' }] })
  })

  test('asks for the context of a model that was added to those that the user gave', async () => {
    world.pages = vllmPages
    const watcher = world.watch(endpoint({ models: ['a'] }))
    await world.clock.pass(0)
    watcher.update([endpoint({ models: ['a', 'b'] })])
    await world.clock.pass(0)
    const contextTokens = 8_192
    expect(world.last.models).toMatchObject([
      { servedName: 'a', contextTokens },
      { servedName: 'b', contextTokens },
    ])
  })

  test('stops what was removed, and what is new starts at once', async () => {
    world.pages = vllmPages
    const watcher = world.watch(endpoint())
    await world.clock.pass(1_000)
    watcher.update([endpoint({ name: 'new' })])
    await world.clock.pass(600)
    expect(world.reports.map((report) => report.endpoint)).toEqual([id, 'new'])
  })

  test('drops the check under way of what was removed, unreported', async () => {
    world.pages = 'silent'
    const watcher = world.watch(endpoint())
    await world.clock.pass(500)
    watcher.update([])
    await world.clock.pass(5_000)
    expect(world.reports).toEqual([])
    expect(world.inFlight).toBe(0)
  })

  test('10,000 of them, and a close in mid-check, leave no timer and no request', async () => {
    world.pages = 'silent'
    const watcher = world.watch(endpoint())
    const two = [endpoint({ name: 'a' }), endpoint({ name: 'b' })]
    for (let cycle = 0; cycle < 10_000; cycle++) {
      watcher.update(cycle % 2 === 0 ? two : [endpoint()])
      if (cycle % 100 === 0) await atRest()
    }
    watcher.close()
    watcher.update(two)
    await atRest()
    expect(world.inFlight).toBe(0)
    expect(world.clock.timers.size).toBe(0)
    expect(world.reports).toEqual([])
  })

  test('10,000 watchers opened and closed leave no timer', async () => {
    world.pages = vllmPages
    for (let cycle = 0; cycle < 10_000; cycle++) {
      const watcher = world.watch(endpoint())
      if (cycle % 1_000 === 0) await world.clock.pass(10)
      watcher.close()
    }
    await atRest()
    expect(world.clock.timers.size).toBe(0)
  })
})

test('keys and passwords are in no report', async () => {
  for (const pages of [
    'refused',
    'silent',
    vllmPages,
    { '/v1/models': answer(401, 's3cret') },
  ] as const) {
    world.pages = pages
    world.watch(endpoint({ url: 'http://user:s3cret@node0:8000', apiKey: 's3cret' }))
    await world.clock.pass(2_000)
    world.watcher?.close()
  }
  expect(world.reports.length).toBeGreaterThan(4)
  expect(JSON.stringify(world.reports)).not.toContain('s3cret')
})
