/** Disks without room, under the controller and under an agent: what is said, and what goes on. */
import { existsSync } from 'node:fs'
import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { answerAdmin } from '#controller/admin.ts'
import { Controller } from '#controller/controller.ts'
import { EventStore, StoreFullError } from '#controller/event-store.ts'
import { systemClock } from '#std/clock.ts'
import { afterTest } from './harness/after-test.ts'
import { controller, node, replicaWanted } from './harness/fleet-nodes.ts'
import { certificateOf, linkTo, temporaryFolder } from './harness/join.ts'
import { packageFile } from './harness/package-file.ts'
import { untilTrue } from './harness/until-true.ts'

test('a controller whose disk is full refuses wishes, keeps its agents, and goes on once there is room', async () => {
  let database: DatabaseSync | null = null
  const store = new EventStore(temporaryFolder(), (file) => {
    database = new DatabaseSync(file)
    return database
  })
  const log: string[] = []
  const full = new Controller(
    {
      directory: '',
      certificate: await certificateOf('controller'),
      host: '127.0.0.1',
      port: 0,
      clock: systemClock,
      log: (line) => log.push(line),
    },
    store,
  )
  await full.listen()
  afterTest(() => full.close())
  const [secret = ''] = full.createToken(60_000).token.split('.')
  const agent = await linkTo(full.port, { token: secret })
  await agent.until(/^desired/)
  await untilTrue(
    'its inventory is written down',
    () => full.state.nodes !== undefined && Object.values(full.state.nodes)[0]?.inventory !== null,
  )
  const wish = { ...replicaWanted('file:/tiny.gguf', 'tiny'), extraArguments: ['x'.repeat(900)] }
  database = database as DatabaseSync | null
  database?.exec('PRAGMA max_page_count = 1')
  const start = () => {
    for (;;) full.startReplica('agent', wish)
  }
  expect(start).toThrow(StoreFullError)
  const wanted = Object.keys(full.state.replicas)
  const answer = await answerAdmin(full, {
    method: 'POST',
    path: '/admin/v1/replicas',
    query: new URLSearchParams(),
    body: { node: 'agent', replica: wish },
    key: null,
  })
  expect(answer).toEqual({
    status: 507,
    body: { error: { message: expect.stringMatching(/^the disk of .* is full, and nothing was/) } },
  })
  expect(Object.keys(full.state.replicas)).toEqual(wanted)

  // What the agent tells is heard, if not written down: it stays, and a person hears of it once.
  for (const name of ['a', 'b']) {
    const device = { vendor: 'nvidia', name: name.repeat(200), memoryBytes: 1 }
    agent.link.reportInventory({ devices: Array(50).fill(device) })
    await untilTrue('it is known', () => full.nodes()[0]?.inventory?.devices[0]?.name[0] === name)
  }
  expect(log.filter((line) => line.includes('is full'))).toHaveLength(1)
  expect(agent.link.isUp).toBe(true)

  database?.exec('PRAGMA max_page_count = 10000')
  const { id } = full.startReplica('agent', wish)
  await agent.until(new RegExp(`^desired .*${id}`))
})

test.skipIf(!existsSync('/dev/full'))(
  'an agent whose disk is full starts nothing that it could not find again, and starts it once there is room',
  { timeout: 90_000 },
  async () => {
    const fleet = await controller()
    const { directory } = await node(fleet, 'desk')
    const source = `file:${packageFile('models/motley-tiny.gguf')}`
    const { id } = fleet.startReplica('desk', replicaWanted(source, 'tiny'))
    // The record is written there first: each write says that there is no space left.
    const draft = join(directory, 'replicas', `${id}.json.part`)
    await mkdir(join(directory, 'replicas'), { recursive: true })
    await symlink('/dev/full', draft)
    const report = () => fleet.replicas()[0]?.reported
    await untilTrue('it says so', () => report()?.detail?.includes('cannot be written') ?? false, {
      withinMs: 30_000,
      seen: report,
    })
    expect(report()).toMatchObject({ pid: null, detail: expect.stringMatching(/room on the disk/) })
    await rm(draft)
    await untilTrue('it is ready', () => report()?.state === 'ready', {
      withinMs: 60_000,
      seen: report,
    })
  },
)
