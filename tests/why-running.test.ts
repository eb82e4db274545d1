/** `motley why` of requests that are not over. */
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { motley } from './harness/command.ts'
import { chat, endpointsOf, engine, fleet } from './harness/fleet.ts'
import { untilTrue } from './harness/until-true.ts'

/** A request that its client leaves at the end of the test. */
function leftOpen(url: string, body: object = {}) {
  const abort = new AbortController()
  afterTest(() => abort.abort())
  return chat(url, { stream: true, ...body }, { signal: abort.signal }).catch(() => null)
}

test('a stream that runs is listed, and told of by its id', async () => {
  const only = await engine({ faults: ['stall:3:60s'] })
  const { url } = await fleet({ endpoints: endpointsOf({ only }) })
  const response = await leftOpen(url)
  const id = response?.headers.get('x-request-id') ?? ''
  const [list, one] = await Promise.all([
    motley(['why', '--url', url]),
    motley(['why', id, '--url', url]),
  ])
  expect(list.out).toMatch(new RegExp(`llama-3.1-8b +only +running +[\\d.]+ m?s +${id}`))
  expect(one).toMatchObject({ code: 0, err: '' })
  expect(one.out).toMatch(/: running at only, [\d.]+ m?s after it came, first token after \d+ ms/)
  expect(one.out).toMatch(/only +chosen/)
  expect(one.out).toMatch(/Attempt 1: llama-3.1-8b on only: sent after \d+ ms; not over\./)
  const page = await (await fetch(`${url}/admin/v1/decisions/${id}`)).json()
  expect(page).toMatchObject({ status: null, running: { kind: 'asking', endpoint: 'only' } })
})

test('a second attempt, and where the answer began, are told while it runs', async () => {
  const [bad, good] = await Promise.all([
    engine({ faults: ['cut:3'] }),
    engine({ faults: ['stall:8:60s'] }),
  ])
  const [first, second] = endpointsOf({ bad, good })
  const { url } = await fleet({
    endpoints: [
      { ...first, weight: 100 },
      { ...second, weight: 1 },
    ],
    routing: { strategy: 'least-connections' },
  })
  await leftOpen(url)
  await untilTrue('it goes on', async () => (await running(url))[0]?.stage.attempt === 2)
  expect(await running(url)).toMatchObject([
    { begunBy: 'bad', stage: { kind: 'asking', endpoint: 'good', attempt: 2, isRest: true } },
  ])
})

test('a request that waits for room comes first, as the newest, and says so', async () => {
  const only = await engine({ faults: ['stall:3:60s'] })
  const { url, gateway } = await fleet({
    endpoints: endpointsOf({ only }, { maxInFlight: 1 }),
  })
  await leftOpen(url)
  void leftOpen(url)
  await untilTrue('it waits', () => gateway.vitals.queued === 1)
  expect(await running(url)).toMatchObject([
    { model: 'llama-3.1-8b', answeredModel: null, stage: { kind: 'waiting', for: 'room' } },
    { stage: { kind: 'asking', endpoint: 'only', attempt: 1 } },
  ])
})

interface Row {
  readonly stage: { readonly kind: string; readonly attempt?: number }
}

async function running(url: string): Promise<readonly Row[]> {
  const page = await (await fetch(`${url}/admin/v1/decisions`)).json()
  return (page as { readonly running: readonly Row[] }).running
}
