/** Requests that wait for room: in order, and in nobody's way. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { chat, endpointsOf, fleet } from './harness/fleet.ts'
import { answerChat, type ScriptedEngine, scriptedEngine } from './harness/scripted-engine.ts'

/** An engine that answers when it is told to. */
async function held(models?: readonly string[]): Promise<{
  readonly engine: ScriptedEngine
  readonly open: ServerResponse[]
  /** Resolves when so many requests were taken. */
  taken(count: number): Promise<void>
}> {
  const open: ServerResponse[] = []
  let look = (): void => {}
  const engine = await scriptedEngine(
    ({ response }) => {
      open.push(response)
      look()
    },
    models === undefined ? {} : { models },
  )
  return {
    engine,
    open,
    taken: (count) =>
      new Promise((resolve) => {
        look = () => {
          if (open.length >= count) resolve()
        }
        look()
      }),
  }
}

test('of two models on one endpoint neither starves: who came first goes first', async () => {
  const { engine, open, taken } = await held(['a', 'b'])
  const { url } = await fleet({ endpoints: endpointsOf({ engine }, { maxInFlight: 1 }) })
  const running = chat(url, { model: 'a' })
  await taken(1)
  const waitingB = chat(url, { model: 'b' })
  await queued(url, 1)
  const waitingA = chat(url, { model: 'a' })
  await queued(url, 2)
  answerChat(open[0] as ServerResponse)
  await running
  await taken(2)
  expect(JSON.parse(String(engine.received[1]?.body)).model).toBe('b')
  answerChat(open[1] as ServerResponse)
  await waitingB
  await taken(3)
  answerChat(open[2] as ServerResponse)
  expect((await waitingA).status).toBe(200)
})

test('one that waits for an endpoint of its own does not hold up the others', async () => {
  const x = await held()
  const y = await held()
  const { url } = await fleet({
    endpoints: endpointsOf({ x: x.engine, y: y.engine }, { maxInFlight: 1 }),
  })
  const first = chat(url)
  const second = chat(url)
  await Promise.all([x.taken(1), y.taken(1)])
  // One fails on x and may only go to y, which is full; the next one may go to either.
  const xFails = x.open[0] as ServerResponse
  xFails.writeHead(500)
  xFails.end('{}')
  await queued(url, 1)
  const third = chat(url)
  await x.taken(2)
  answerChat(x.open[1] as ServerResponse)
  expect((await third).headers.get('x-motley-endpoint')).toBe('x')
  answerChat(y.open[0] as ServerResponse)
  await y.taken(2)
  answerChat(y.open[1] as ServerResponse)
  expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual([200, 200])
})

test('a request for a model of an endpoint that was just added waits for its first check', async () => {
  const old = await scriptedEngine(({ response }) => answerChat(response))
  const made = await fleet({ endpoints: endpointsOf({ old }) })
  made.reload({ endpoints: endpointsOf({ renamed: old }) })
  const answer = await chat(made.url)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('x-motley-endpoint')).toBe('renamed')
})

async function queued(url: string, count: number): Promise<void> {
  for (;;) {
    const page = await (await fetch(`${url}/metrics`)).text()
    if (page.includes(`motley_waiting_requests ${count}\n`)) return
  }
}
