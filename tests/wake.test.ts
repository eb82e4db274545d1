/** A model that sleeps is woken by a request, which waits for it: and is told when that is in vain. */
import { expect, test } from 'vitest'
import { watchEndpoints } from '#agent/endpoint-watcher.ts'
import { motleyConfig } from '#core/config/document.ts'
import { type Gateway, startGateway } from '#gateway/gateway.ts'
import type { SleepingModel } from '#protocol/model-demand.ts'
import { afterTest } from './harness/after-test.ts'
import { chat, endpointsOf, engine, readEvents } from './harness/fleet.ts'

const model = 'llama-3.1-8b'

const asleep: SleepingModel = {
  model,
  state: 'asleep',
  expectedMs: null,
  retryMs: null,
  because: null,
}

interface Sleeping {
  readonly gateway: Gateway
  readonly wakes: string[]
  /** What whoever decides says of the model from now on; null: nothing sleeps. */
  say(next: SleepingModel | null): void
  /** Why it cannot be woken from now on. */
  hinder(because: string | null): void
  /** It is there from now on. */
  arrive(url: string): void
}

async function sleepingGateway(more: Record<string, unknown> = {}): Promise<Sleeping> {
  const configOf = (endpoints: unknown[]) =>
    motleyConfig.parse({
      gateway: { listen: '127.0.0.1:0', accessLog: 'off' },
      routing: { slowStartMs: 0 },
      endpoints,
      ...more,
    })
  let now: SleepingModel | null = asleep
  const wakes: string[] = []
  let obstacle: string | null = null
  const gateway = await startGateway({
    config: configOf([]),
    log: () => {},
    version: 'test',
    sleepers: {
      find: (name) => (name === model ? now : null),
      wake(name) {
        wakes.push(name)
        return obstacle
      },
      models: () => [model],
    },
  })
  afterTest(() => gateway.close())
  const watcher = watchEndpoints({ endpoints: [], report: (report) => gateway.report(report) })
  afterTest(() => watcher.close())
  return {
    gateway,
    wakes,
    say(next) {
      now = next
    },
    hinder(because) {
      obstacle = because
    },
    arrive(url) {
      const config = configOf(endpointsOf({ woken: { url } }))
      gateway.reload(config)
      watcher.update(config.endpoints)
    },
  }
}

test('a request wakes the model and has its answer when it is there', async () => {
  const { gateway, wakes, say, arrive } = await sleepingGateway()
  const { url } = await engine()
  const answer = chat(gateway.url)
  say({ ...asleep, state: 'starting', expectedMs: 2_000 })
  arrive(url)
  const { status } = await answer
  expect(status).toBe(200)
  expect(wakes).toEqual([model])
})

test('a model that sleeps is listed, and known to be asked for', async () => {
  const { gateway } = await sleepingGateway()
  const listed = (await (await fetch(`${gateway.url}/v1/models`)).json()) as {
    data: { id: string; motley: { ready: boolean } }[]
  }
  expect(listed.data).toMatchObject([{ id: model, motley: { ready: false } }])
})

test('a gateway whose models all sleep is ready for the request that wakes one', async () => {
  const { gateway, say } = await sleepingGateway()
  const ready = async () => (await fetch(`${gateway.url}/health/ready`)).status
  expect(await ready()).toBe(200)
  say({ ...asleep, state: 'no-place', because: 'nothing has room for it' })
  expect(await ready()).toBe(503)
})

test('whoever asks while it wakes is demand, and waits', async () => {
  const { gateway, arrive } = await sleepingGateway()
  const answer = chat(gateway.url)
  await expect
    .poll(() => gateway.demand())
    .toMatchObject([{ model, inFlight: 0, waiting: 1, idleMs: 0 }])
  arrive((await engine()).url)
  expect((await answer).status).toBe(200)
  await expect.poll(() => gateway.demand()[0]?.waiting).toBe(0)
})

test('where waking takes longer than the client waits it is told at once how long', async () => {
  const { gateway, say } = await sleepingGateway()
  say({ ...asleep, state: 'starting', expectedMs: 240_000 })
  const answer = await chat(
    gateway.url,
    {},
    {
      headers: { 'content-type': 'application/json', 'x-stainless-timeout': '60' },
    },
  )
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('240')
  expect(await answer.json()).toMatchObject({
    error: { message: expect.stringMatching(/takes about 4 min more; this request may wait 60 s/) },
  })
})

test('where it has no place it is told why', async () => {
  const { gateway, say } = await sleepingGateway()
  say({ ...asleep, state: 'no-place', because: 'it needs 42.2 GiB, and 20.5 GiB are free' })
  const answer = await chat(gateway.url)
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({
    error: { message: expect.stringMatching(/there is no place to start it: it needs 42.2 GiB/) },
  })
})

test('after a start that has failed it is told when the next is tried', async () => {
  const { gateway, say } = await sleepingGateway()
  say({ ...asleep, state: 'no-place', retryMs: 231_400, because: 'it failed to start on alpha' })
  const answer = await chat(gateway.url)
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('232')
})

test('where it cannot be woken it is told why and when to ask again, each time', async () => {
  const { gateway, wakes, hinder } = await sleepingGateway()
  hinder('the disk of /data/controller.sqlite is full, and nothing was changed')
  for (let time = 1; time <= 2; time += 1) {
    const answer = await chat(gateway.url)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('30')
    expect(await answer.json()).toMatchObject({
      error: {
        code: 'cannot_wake',
        message: expect.stringMatching(/sleeps, and cannot be woken: the disk of .* is full/),
      },
    })
    expect(wakes).toHaveLength(time)
  }
  expect(gateway.vitals).toMatchObject({ queued: 0, inFlight: 0 })
})

test('one that takes longer than it may is over when its time is', async () => {
  const { gateway } = await sleepingGateway({
    models: { [model]: { timeouts: { firstByteMs: 50 } } },
  })
  const answer = await chat(gateway.url)
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({
    error: { message: expect.stringMatching(/was woken and is not ready/) },
  })
})

test('a client that leaves while it wakes is not waited for', async () => {
  const { gateway } = await sleepingGateway()
  const leaving = new AbortController()
  const answer = chat(gateway.url, {}, { signal: leaving.signal }).catch(() => null)
  await expect.poll(() => gateway.vitals.queued).toBe(1)
  leaving.abort()
  await answer
  await expect.poll(() => gateway.vitals).toMatchObject({ queued: 0, inFlight: 0 })
})

test('a stream that waits is kept alive by comments', async () => {
  const { gateway, arrive } = await sleepingGateway({
    gateway: { listen: '127.0.0.1:0', accessLog: 'off', pingMs: 20 },
  })
  const answer = chat(gateway.url, { stream: true })
  // The first comment brings the status line, long before the first word.
  const response = await answer
  expect(response.status).toBe(200)
  arrive((await engine()).url)
  const { events, text } = await readEvents(response)
  expect(text).toMatch(/^: ping/)
  expect(events.at(-1)).toBe('[DONE]')
})
