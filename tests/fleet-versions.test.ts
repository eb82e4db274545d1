/** Agents and controllers of other versions than this one, as they would say more than it knows. */
import { expect, test } from 'vitest'
import { JsonLineReader } from '#std/json-lines.ts'
import {
  bareClient,
  certificateOf,
  controllerIn,
  linkTo,
  strangeController,
  wanted,
} from './harness/join.ts'
import { untilTrue } from './harness/until-true.ts'

/** What a controller of a later version might say, beside what this one says. */
async function newerController(lines: readonly unknown[]): Promise<{
  readonly port: number
  readonly heard: unknown[]
}> {
  const heard: unknown[] = []
  const port = await strangeController((socket) => {
    const reader = new JsonLineReader(2 ** 20)
    socket.on('data', (piece) => heard.push(...reader.push(piece)))
    for (const line of lines) socket.write(`${JSON.stringify(line)}\n`)
  })
  return { port, heard }
}

const welcome = { type: 'welcome', protocol: 1, node: 'node-1', name: 'agent' }

test('an agent passes over what a newer controller says beside the protocol, and goes on', async () => {
  const { port, heard } = await newerController([
    { ...welcome, mood: 'fine' },
    { type: 'weather', rain: true },
    { type: 'desired', replicas: [{ ...wanted, id: 'a', colour: 'red' }], since: 1 },
    { type: 'attached', endpoints: [{ id: 'e', port: 8080, tags: [] }] },
    { type: 'ask', request: 'r1', what: 'sing', params: {} },
    { type: 'weather', rain: false },
  ])
  const agent = await linkTo(port, { hasJoined: true })
  await agent.until(/^desired a$/)
  const reply = () => heard.find((each) => (each as { type: string }).type === 'reply')
  await untilTrue('it replies', () => reply() !== undefined)
  expect(reply()).toEqual({
    type: 'reply',
    request: 'r1',
    result: null,
    error: 'the agent (Motley test) does not know "sing": update Motley on its node',
  })
  expect(agent.story).toEqual([
    'welcome agent',
    'log the controller is newer and says "weather", which this agent passes over: update Motley here',
    'desired a',
  ])
})

test('a wish in words that an agent does not know leaves the others alone', async () => {
  const strange: unknown[] = []
  const { port } = await newerController([
    welcome,
    {
      type: 'desired',
      replicas: [
        { ...wanted, id: 'a' },
        { ...wanted, id: 'b', task: 'paint' },
      ],
    },
  ])
  const agent = await linkTo(port, {
    hasJoined: true,
    onDesired: (replicas, others) =>
      strange.push(
        replicas.map(({ id }) => id),
        others,
      ),
  })
  await agent.until(/^welcome/)
  await untilTrue('it hears what is wanted', () => strange.length > 0)
  expect(strange).toEqual([['a'], [{ id: 'b', why: 'task' }]])
})

test('a controller that answers in another protocol is refused, with both numbers', async () => {
  const { port } = await newerController([{ ...welcome, protocol: 7 }])
  const agent = await linkTo(port)
  await agent.until(
    /^refused protocol: It answers in protocol 7, and this agent speaks 1: run the same version/,
  )
})

test('a controller passes over what a newer agent says beside the protocol', async () => {
  const { controller, token } = await controllerIn()
  const client = await bareClient(controller.port, await certificateOf('newer'))
  const say = (message: unknown) => client.socket.write(`${JSON.stringify(message)}\n`)
  say({
    type: 'hello',
    protocols: [1, 2],
    token: token().secret,
    name: 'newer',
    version: '9.0.0',
    instance: 'instance-1',
    ingress: { host: null, port: 7073, udp: 7074 },
    mood: 'fine',
  })
  await untilTrue('it is welcome', () => client.heard.length > 0)
  expect(client.heard[0]).toMatchObject({ type: 'welcome', protocol: 1 })
  say({ type: 'weather', rain: true })
  say({ type: 'inventory', inventory: { devices: [], smell: 'ozone' } })
  await untilTrue('it is still heard', () => controller.nodes()[0]?.inventory !== null)
  expect(controller.nodes().map(({ presence }) => presence)).toEqual(['ready'])
})
