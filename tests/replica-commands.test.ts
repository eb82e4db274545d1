/** What clients and operators are told of replicas, those that do not run included. */
import { expect, test } from 'vitest'
import type { ReplicaView } from '#controller/fleet-views.ts'
import { afterTest } from './harness/after-test.ts'
import { motley } from './harness/command.ts'
import { chat, post } from './harness/fleet.ts'
import { replicaWanted } from './harness/fleet-nodes.ts'
import { dataFolder, type OneMachine, oneMachine } from './harness/one-machine.ts'
import { packageFile } from './harness/package-file.ts'
import { untilTrue } from './harness/until-true.ts'

const weights = `file:${packageFile('models/motley-tiny.gguf')}`

async function start(machine: OneMachine, model: string, source = weights): Promise<string> {
  const body = { node: machine.node, replica: replicaWanted(source, model) }
  const { id } = await machine.admin<{ id: string }>('replicas', 'POST', body)
  afterTest(async () => {
    const gone = async () => {
      const { replicas } = await machine.admin<{ replicas: ReplicaView[] }>('replicas')
      return !replicas.some(({ spec }) => spec.id === id)
    }
    if (!(await gone())) await machine.admin(`replicas/${id}`, 'DELETE')
    await untilTrue(`${id} is gone`, gone)
  })
  return id
}

test('a model whose only replica is on a draining node is a 503 that says so, and comes back', {
  timeout: 90_000,
}, async () => {
  dataFolder()
  const machine = await oneMachine()
  const id = await start(machine, 'tiny')
  await machine.untilState(id, 'ready')
  const drain = (draining: boolean) =>
    machine.admin(`nodes/${machine.node}/drain`, 'POST', { draining })
  const request = { model: 'tiny', max_tokens: 2 }
  expect((await chat(machine.url, request)).status).toBe(200)

  await drain(true)
  const refused = await chat(machine.url, request)
  expect(refused.status).toBe(503)
  expect(await refused.json()).toMatchObject({
    error: {
      code: 'no_ready_endpoint',
      message: expect.stringMatching(
        `^No endpoint that serves "tiny" is ready: ${id} is draining \\(its node ${machine.node} is draining\\)\\.`,
      ),
    },
  })
  const report = async () => (await machine.admin<ReplicaView>(`replicas/${id}`)).reported
  await untilTrue('it was ended', async () => (await report()) === null, { withinMs: 20_000 })
  expect((await chat(machine.url, request)).status).toBe(503)
  const shown = await motley(['replicas', '--url', machine.url])
  expect(shown.out).toMatch(new RegExp(`^${id} .* node draining `, 'm'))
  const logs = await motley(['replica', 'logs', id, '--url', machine.url])
  expect(logs).toMatchObject({
    code: 1,
    out: '',
    err: `motley: ${id} has written nothing: its node ${machine.node} is draining and runs nothing\n`,
  })

  await drain(false)
  await machine.untilState(id, 'ready')
  expect((await chat(machine.url, request)).status).toBe(200)
})

test('any beginning that one replica alone has names it; of several the candidates are listed', {
  timeout: 90_000,
}, async () => {
  dataFolder()
  const machine = await oneMachine()
  const missing = 'file:/nowhere/model.gguf'
  const ids = [await start(machine, 'tiny', missing), await start(machine, 'tiny', missing)]
  const [one = '', other = ''] = ids
  const same = [...one].findIndex((letter, index) => letter !== other[index])
  const at = (command: string, ...args: string[]) =>
    motley(['replica', command, ...args, '--url', machine.url])

  const ambiguous = await at('info', 'tiny')
  expect(ambiguous).toMatchObject({ code: 1, out: '' })
  expect(ambiguous.err).toContain(`"tiny" may be any of ${one}, ${other}`)
  const asTablesHaveIt = `${one.slice(0, 3)}…${one.slice(-4)}`
  const named = (id: string) => machine.admin<ReplicaView>(`replicas/${encodeURIComponent(id)}`)
  expect((await named(asTablesHaveIt)).spec.id).toBe(one)
  const prefix = other.slice(0, same + 1)
  expect((await at('logs', prefix)).err).toContain(`${other} has written nothing`)
  await expect(machine.admin(`replicas/${prefix}/benchmark`, 'POST')).rejects.toThrow(
    `${other} is `,
  )
  expect((await at('stop', prefix)).out).toBe(`${other} finishes what it does, and ends\n`)
  expect((await named('tiny')).spec.id).toBe(one)
})

test('the log of a replica that never started is its state and the reason, in one line', async () => {
  dataFolder()
  const machine = await oneMachine()
  const id = await start(machine, 'tiny', 'file:/nowhere/model.gguf')
  await machine.untilState(id, 'failed')
  const { code, out, err } = await motley(['replica', 'logs', id, '--url', machine.url])
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(
    new RegExp(
      `^motley: ${id} has written nothing: it never started: .*/nowhere/model\\.gguf.*\n$`,
    ),
  )
  const refused = await chat(machine.url, { model: 'tiny' })
  expect(refused.status).toBe(503)
  expect(await refused.text()).toContain(`${id} is failed (`)
})

test('a context beyond what the model was trained for is refused before anything starts', async () => {
  dataFolder()
  const machine = await oneMachine()
  const args = ['replica', 'start', packageFile('models/motley-tiny.gguf'), '--context']
  const { code, err } = await motley([...args, '8k', '--url', machine.url])
  expect(code).toBe(1)
  expect(err).toContain(
    'motley: context: 8,192 tokens are wanted, and the model was trained for 1,024; take a context of at most 1,024\n',
  )
  const replica = { ...replicaWanted(weights, 'tiny'), contextTokens: 8_192 }
  const answer = await post(`${machine.url}/admin/v1/replicas`, { node: machine.node, replica })
  expect(answer.status).toBe(409)
  expect(await answer.text()).toContain('the model was trained for 1,024')
  const { replicas } = await machine.admin<{ replicas: ReplicaView[] }>('replicas')
  expect(replicas).toEqual([])
})
