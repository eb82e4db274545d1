/** The line between agents and controller, on clocks that the tests hold. */
import { type AddressInfo, createServer as createPlainServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { Controller } from '#controller/controller.ts'
import type { ReportedReplica } from '#protocol/agent-messages.ts'
import { HeldClock } from '#testing/held-clock.ts'
import { afterTest } from './harness/after-test.ts'
import {
  controllerIn,
  linkTo,
  strangeController,
  type TestLink,
  temporaryFolder,
  wanted,
} from './harness/join.ts'
import { untilTrue } from './harness/until-true.ts'

const running = (id: string): ReportedReplica => ({
  id,
  state: 'ready',
  detail: null,
  engine: 'llama-server',
  backend: 'cpu',
  pid: 1,
  port: 8_000,
  restarts: 0,
  progress: null,
  alarms: [],
  memory: null,
})

/** How many endpoints take new requests. */
function accepting(controller: Controller): number {
  return controller.endpoints().filter(({ held }) => held === null).length
}

/** A replica that its agent calls ready. */
async function startedAndReady(controller: Controller, { link }: TestLink): Promise<string> {
  const { id } = controller.startReplica('agent', wanted)
  link.reportReplicas([running(id)])
  const state = () => controller.replica(id).reported?.state
  await untilTrue('the report is there', () => state() === 'ready', { seen: state })
  return id
}

/** The pauses between so many tries, each let pass as it comes. */
async function pausesOf(clock: HeldClock, tries: number): Promise<number[]> {
  const pauses: number[] = []
  while (pauses.length < tries) {
    // While it dials, only the deadline of that is set; a pause is never as long.
    await untilTrue('it waits to dial again', () => (clock.dueInMs[0] ?? 15_000) < 15_000)
    const pauseMs = clock.dueInMs[0] ?? 0
    pauses.push(pauseMs)
    clock.pass(pauseMs)
  }
  return pauses
}

test.each([
  { chance: 0, pauses: [250, 500, 1_000, 2_000, 4_000, 7_500, 7_500] },
  { chance: 0.5, pauses: [375, 750, 1_500, 3_000, 6_000, 11_250, 11_250] },
])(
  'a controller that is away is dialled after longer and longer pauses (chance $chance)',
  async ({ chance, pauses }) => {
    const { controller } = await controllerIn()
    const { port } = controller
    await controller.close()
    const clock = new HeldClock()
    const agent = await linkTo(port, { hasJoined: true, clock, chance: () => chance })
    expect(await pausesOf(clock, 7)).toEqual(pauses)
    expect(agent.story).toEqual([
      `log the controller at 127.0.0.1:${port} cannot be reached (nothing listens there); trying again; replicas go on`,
    ])
  },
)

/** A server that does with each connection what the test says, and no TLS. */
async function plainServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = []
  const server = createPlainServer((socket) => {
    socket.on('error', () => {})
    sockets.push(socket)
    onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const notMotley =
  'what listens there is no Motley controller; its port for agents is 7071 by default'

test.each([
  {
    there: 'a port of HTTP',
    answers: (socket: Socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    reason: notMotley,
  },
  {
    there: 'a server that hangs up',
    answers: (socket: Socket) => socket.once('data', () => socket.end()),
    reason: notMotley,
  },
  {
    there: 'a server that resets',
    answers: (socket: Socket) => socket.once('data', () => socket.resetAndDestroy()),
    reason: notMotley,
  },
  {
    there: 'a server that says nothing',
    answers: (socket: Socket) => socket.resume(),
    reason: 'no answer within 5 s',
  },
  { there: 'nothing', answers: null, reason: 'nothing listens there' },
])(
  'who joins for the first time hears what is wrong with $there at once, and gives up in time',
  async ({ answers, reason }) => {
    let dials = 0
    const port =
      answers === null
        ? 1
        : await plainServer((socket) => {
            dials++
            answers(socket)
          })
    const clock = new HeldClock()
    const agent = await linkTo(port, { token: `mt-${'s'.repeat(32)}`, clock, joinWithinMs: 30_000 })
    if (reason.startsWith('no answer')) {
      await untilTrue('it is connected', () => dials === 1)
      clock.pass(5_000)
    }
    await agent.until(/^log/)
    expect(agent.story).toEqual([
      `log the controller at 127.0.0.1:${port} cannot be reached (${reason}); trying again`,
    ])
    clock.pass(30_000)
    await agent.until(/^refused/)
    expect(agent.story.slice(1)).toEqual([
      `refused unreachable: No controller took this machine at 127.0.0.1:${port} within 30 s (${reason}): see that it runs, and that --join has its address.`,
    ])
    expect(clock.dueInMs).toEqual([])
  },
)

test('an agent that has joined looks for its controller for ever, with a line every five minutes', async () => {
  const { controller } = await controllerIn()
  const { port } = controller
  await controller.close()
  const clock = new HeldClock()
  const agent = await linkTo(port, { hasJoined: true, clock, joinWithinMs: 1_000 })
  const elapsedMs = (await pausesOf(clock, 100)).reduce((sum, pause) => sum + pause, 0)
  expect(elapsedMs).toBeGreaterThan(2 * 5 * 60_000)
  expect(elapsedMs).toBeLessThan(3 * 5 * 60_000)
  const line = `log the controller at 127.0.0.1:${port} cannot be reached (nothing listens there); trying again; replicas go on`
  expect(agent.story).toEqual([line, line, line])
})

test('a controller that welcomes and then speaks another protocol is not dialled all the time', async () => {
  const port = await strangeController((socket) => {
    socket.once('data', () => {
      socket.write(
        '{"type":"welcome","protocol":1,"node":"n","name":"agent"}\n{"type":"desired","replicas":7}\n',
      )
    })
  })
  const clock = new HeldClock()
  const agent = await linkTo(port, { hasJoined: true, clock })
  expect(await pausesOf(clock, 4)).toEqual([250, 500, 1_000, 2_000])
  expect(agent.story.filter((line) => line.startsWith('log'))[0]).toMatch(
    /does not speak the protocol/,
  )
})

test('a controller that accepts and says nothing is given up after 15 s, the next time after 30 s', async () => {
  let accepted = 0
  const port = await strangeController((socket) => {
    accepted++
    socket.resume()
  })
  const clock = new HeldClock()
  const agent = await linkTo(port, { hasJoined: true, clock })
  await untilTrue('it is connected', () => accepted === 1)
  clock.pass(14_999)
  expect(agent.story).toEqual([])
  clock.pass(1)
  await agent.until(/cannot be reached \(no answer within 15 s\)/)
  // A handshake among hundreds takes longer; who hangs up on it meets the same crowd again.
  await untilTrue('it waits for the next try', () => clock.dueInMs.length === 1)
  clock.pass(clock.dueInMs[0] ?? 0)
  await untilTrue('it is connected again', () => accepted === 2)
  expect(clock.dueInMs).toEqual([30_000])
})

test('a controller that falls silent is left, although its connection stands', async () => {
  let beats = 0
  const port = await strangeController((socket) => {
    socket.on('data', (piece: Buffer) => {
      const text = piece.toString()
      if (text.includes('"hello"'))
        socket.write('{"type":"welcome","protocol":1,"node":"n","name":"agent"}\n')
      beats += text.split('"heartbeat"').length - 1
    })
  })
  const clock = new HeldClock()
  const agent = await linkTo(port, { hasJoined: true, clock })
  await agent.until(/^welcome/)
  for (const beat of [1, 2, 3]) {
    clock.pass(5_000)
    await untilTrue(`heartbeat ${beat}`, () => beats === beat)
  }
  clock.pass(5_000)
  await agent.until(/^log the controller is gone .*replicas go on/)
})

test('a node is ready while it beats, suspect after 15 s of silence, lost after 60 s, and back', async () => {
  const clock = new HeldClock()
  const { controller, token, log } = await controllerIn(temporaryFolder(), clock)
  const agentClock = new HeldClock()
  const agent = await linkTo(controller.port, { token: token().secret, clock: agentClock })
  await agent.until(/^desired/)
  const spec = controller.startReplica('agent', wanted)
  agent.link.reportReplicas([running(spec.id)])
  await untilTrue('its replica is an endpoint', () => accepting(controller) === 1)
  let changes = 0
  controller.onEndpointsChanged(() => changes++)
  const now = () => [controller.nodes()[0]?.presence, accepting(controller)]

  for (let beat = 0; beat < 6; beat++) {
    clock.pass(5_000)
    agentClock.pass(5_000)
    await untilTrue('the heartbeat is heard', () => controller.nodes()[0]?.silentMs === 0)
  }
  expect(now()).toEqual(['ready', 1])
  clock.pass(14_999)
  expect(now()).toEqual(['ready', 1])
  const before = changes
  clock.pass(1_000) // whoever asks is told at once; gateways hear of it within a second
  expect(now()).toEqual(['suspect', 0])
  expect(changes).toBe(before + 1)
  clock.pass(45_000)
  expect(now()).toEqual(['lost', 0])
  expect(controller.replicas()[0]).toMatchObject({ presence: 'lost', reported: { state: 'ready' } })
  agentClock.pass(5_000)
  await untilTrue('it is ready again', () => now()[0] === 'ready')
  clock.pass(1_000)
  expect(now()).toEqual(['ready', 1])
  expect(log.slice(1)).toEqual([
    'node "agent" is silent: nothing new is sent there',
    'node "agent" is lost',
    'node "agent" is back',
  ])
})

test('when most nodes fall silent at once, gateways keep their replicas and nothing is deleted', async () => {
  const clock = new HeldClock()
  const { controller, token } = await controllerIn(temporaryFolder(), clock)
  for (const name of ['a', 'b', 'c']) {
    const secret = token().secret
    const node = await linkTo(controller.port, {
      token: secret,
      identityOf: name,
      clock: new HeldClock(),
    })
    await node.until(/^desired/)
    node.link.reportReplicas([running(controller.startReplica(name, wanted).id)])
  }
  await untilTrue('all have endpoints', () => accepting(controller) === 3)
  clock.pass(61_000)
  expect(controller.nodes().map(({ presence }) => presence)).toEqual(['lost', 'lost', 'lost'])
  expect([controller.isFrozen, accepting(controller)]).toEqual([true, 3])
  expect(controller.replicas()).toHaveLength(3)
})

test('a restart of the controller loses nothing: nodes, wishes, and what agents tell again', async () => {
  const first = await controllerIn()
  const { port } = first.controller
  const clock = new HeldClock()
  const agent = await linkTo(port, { token: first.token().secret, clock })
  await agent.until(/^desired/)
  const { id } = first.controller.startReplica('agent', wanted)
  agent.link.reportReplicas([running(id)])
  await untilTrue('it is an endpoint', () => accepting(first.controller) === 1)
  const [endpoint] = first.controller.endpoints()
  await first.controller.close()
  await agent.until(/^log the controller is gone/)

  const second = await controllerIn(first.directory, undefined, port)
  expect(second.controller.nodes()).toMatchObject([{ name: 'agent', presence: 'suspect' }])
  await untilTrue('the agent is back', () => {
    clock.pass(50)
    return accepting(second.controller) === 1
  })
  expect(second.controller.endpoints()).toEqual([endpoint])
  const desired = agent.story.filter((line) => line.startsWith('desired'))
  expect(desired).toEqual(['desired ', `desired ${id}`, `desired ${id}`])
})

test('a controller that has just started calls replicas failed only when their nodes stay away', async () => {
  const { controller, directory, token } = await controllerIn()
  const agent = await linkTo(controller.port, { token: token().secret })
  await agent.until(/^welcome/)
  await startedAndReady(controller, agent)
  agent.close()
  await controller.close()
  const clock = new HeldClock()
  const { controller: again } = await controllerIn(directory, clock)
  const held = () => again.endpoints().map((endpoint) => endpoint.held)
  expect(held()).toEqual([{ state: 'loading', reason: 'its node agent has not come back yet' }])
  clock.pass(60_000)
  expect(held()).toEqual([{ state: 'failed', reason: 'its node agent has not come back' }])
})

test('draining takes the endpoints away before the agent is told, and can be undone', async () => {
  const { controller, token } = await controllerIn()
  const agent = await linkTo(controller.port, { token: token().secret })
  await agent.until(/^desired/)
  const { id } = controller.startReplica('agent', wanted)
  agent.link.reportReplicas([running(id)])
  await untilTrue('it is an endpoint', () => accepting(controller) === 1)
  const story: string[] = []
  controller.onEndpointsChanged(() => story.push(`endpoints ${accepting(controller)}`))
  controller.setDraining('agent', true)
  expect(story).toEqual(['endpoints 1', 'endpoints 0'])
  await untilTrue('it is told', () => agent.story.at(-1) === 'desired ')
  expect(() => controller.startReplica('agent', wanted)).toThrow(
    /is draining and takes nothing new/,
  )
  controller.setDraining('agent', false)
  await untilTrue('it is wanted again', () => agent.story.at(-1) === `desired ${id}`)
})

test('what an agent replies is read before it is believed', async () => {
  const { controller, token } = await controllerIn()
  const agent = await linkTo(controller.port, {
    token: token().secret,
    onAsk: async (what) => (what === 'logs' ? { text: 7 } : { node: 'another', knee: -1 }),
  })
  await agent.until(/^desired/)
  const id = await startedAndReady(controller, agent)
  await expect(controller.logs(id, null)).rejects.toThrow(/cannot be understood \(text: /)
  await expect(controller.benchmark(id)).rejects.toThrow(/cannot be understood/)
  expect(controller.state.measurements).toEqual({})
})

test('a benchmark is compared with the newest one before, and two at a time are refused', async () => {
  const { controller, token } = await controllerIn()
  const speed = {
    ...running('x'),
    engineVersion: '1',
    quantization: null,
    byConcurrency: [],
    knee: 1,
    boundTokensPerSecond: null,
  }
  let decode = 10
  let version = 0
  const agent = await linkTo(controller.port, {
    token: token().secret,
    onAsk: async () => ({
      ...speed,
      engineVersion: String(version++),
      promptTokensPerSecond: 1,
      decodeTokensPerSecond: decode++,
    }),
  })
  await agent.until(/^desired/)
  const id = await startedAndReady(controller, agent)
  const first = controller.benchmark(id)
  await expect(controller.benchmark(id)).rejects.toThrow(/being measured already/)
  expect((await first).before).toBeNull()
  await controller.benchmark(id)
  const { before, now } = await controller.benchmark(id)
  expect([before?.decodeTokensPerSecond, now.decodeTokensPerSecond]).toEqual([11, 12])
  // Gateways are told the newest one.
  expect(controller.endpoints()).toMatchObject([{ measured: { decodeTokensPerSecond: 12 } }])
})

test.each([
  { what: 'ten minutes ahead', ms: 600_000 },
  { what: 'ten minutes behind', ms: -600_000 },
  { what: 'at 1970, as that of a machine without a battery', ms: -Date.UTC(2026, 0, 1) },
])('an agent whose clock is $what belongs to the fleet like any other', async ({ ms }) => {
  const clock = new HeldClock()
  const agentClock = new HeldClock(clock.nowMs() + ms)
  const { controller, log, token } = await controllerIn(temporaryFolder(), clock)
  const agent = await linkTo(controller.port, { clock: agentClock, token: token().secret })
  await agent.until(/^welcome/)
  await startedAndReady(controller, agent)
  // Its token, its heartbeats and its silence are measured by the clock of whoever measures.
  for (let beat = 0; beat < 30; beat++) {
    clock.pass(5_000)
    agentClock.pass(5_000)
    await untilTrue('its heartbeat is there', () => controller.nodes()[0]?.silentMs === 0)
    expect(controller.nodes()[0]).toMatchObject({ presence: 'ready', givenUp: false })
    expect(accepting(controller)).toBe(1)
  }
  expect(agent.link.isUp).toBe(true)
  expect(log.filter((line) => /silent|lost|back/.test(line))).toEqual([])
  for (let second = 0; second < 15; second++) clock.pass(1_000)
  expect(controller.nodes()[0]?.presence).toBe('suspect')
  expect(accepting(controller)).toBe(0)
})
