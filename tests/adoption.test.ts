/** Engines that already run on a node: found, shown, attached with one command, and left alone. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { FoundView } from '#controller/attached-endpoints.ts'
import type { AttachedView } from '#controller/fleet-views.ts'
import { chat, engine } from './harness/fleet.ts'
import { dataFolder, type OneMachine, oneMachine } from './harness/one-machine.ts'
import { untilTrue } from './harness/until-true.ts'

const bin = fileURLToPath(new URL('../bin/motley', import.meta.url))

function motley(...args: readonly string[]) {
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const child = spawn(process.execPath, [bin, ...args], { cwd: '/' })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

async function untilFound(machine: OneMachine, count: number): Promise<readonly FoundView[]> {
  let found: readonly FoundView[] = []
  const look = async () => {
    const { nodes } = await machine.admin<{ nodes: { found: FoundView[] }[] }>('nodes')
    found = nodes[0]?.found ?? []
    return found.length === count
  }
  await untilTrue(`${count} engines are found`, look, { everyMs: 20, seen: () => found })
  return found
}

test('engines of four kinds are found with their models, and shown under their node', async () => {
  dataFolder()
  const emulators = [
    await engine({ engine: 'ollama', models: ['llama3.2:3b', 'qwen3:8b', 'a', 'b'] }),
    await engine({ engine: 'llama-server', models: ['qwen3-8b'] }),
    await engine({ engine: 'vllm', models: ['llama-3.1-8b'] }),
    await engine({ engine: 'openai', models: ['gemma-3-4b'] }),
  ]
  const machine = await oneMachine(emulators.map(({ port }) => port))
  const found = await untilFound(machine, 4)
  for (const { port, engine: name, settings } of emulators) {
    expect(found.find((one) => one.port === port)).toMatchObject({
      engine: name,
      models: settings.models,
      state: 'ready',
      attachedAs: null,
    })
  }
  const { out, code } = await motley('nodes', '--url', machine.url)
  const ollama = emulators[0]?.port
  expect(code).toBe(0)
  expect(out).toMatch(
    new RegExp(
      `^  ollama \\S+ on port ${ollama}: llama3.2:3b, qwen3:8b, a and 1 more; "motley attach ${machine.node}/ollama" uses it$`,
      'm',
    ),
  )
})

test('one command makes a found engine an endpoint, and another ends that', async () => {
  dataFolder()
  const ollama = await engine({ engine: 'ollama', models: ['llama3.2:3b'] })
  const machine = await oneMachine([ollama.port])
  await untilFound(machine, 1)
  const place = `${machine.node}/ollama`
  const attached = await motley('attach', place, '--url', machine.url)
  const id = `ollama-${machine.node}`
  expect(attached).toMatchObject({ code: 0, err: '' })
  expect(attached.out).toMatch(`${id} is an endpoint now: ollama`)
  const row = await machine.untilState(id, 'ready')
  expect(row).toMatchObject({
    models: ['llama3.2:3b'],
    engine: 'ollama',
    labels: { node: machine.node },
  })

  const answer = await chat(machine.url, { model: 'llama3.2:3b', stream: true })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('x-motley-endpoint')).toBe(id)
  expect(await answer.text()).toMatch(/data: \[DONE\]\s*$/)
  expect((await untilFound(machine, 1))[0]).toMatchObject({ attachedAs: id })
  expect((await motley('attach', place, '--name', 'other', '--url', machine.url)).err).toMatch(
    `it is attached already, as ${id}`,
  )

  expect(await motley('attach', place, '--remove', '--url', machine.url)).toMatchObject({ code: 0 })
  expect(await machine.admin('endpoints')).toMatchObject({ endpoints: [] })
  const direct = await chat(ollama.url, { model: 'llama3.2:3b' })
  expect(direct.status).toBe(200)
})

test('an engine on an unusual port is attached by that; what is no engine is refused', async () => {
  dataFolder()
  const vllm = await engine({ engine: 'vllm', models: ['llama-3.1-8b'] })
  const machine = await oneMachine()
  const attach = (what: string, ...more: readonly string[]) =>
    motley('attach', what, '--url', machine.url, ...more)
  const ownPort = new URL(machine.url).port
  expect((await attach(`${machine.node}/${ownPort}`)).err).toBe(
    `motley: no engine answers on port ${ownPort} of ${machine.node}, on its loopback interface\n`,
  )
  expect((await attach(`${machine.node}/vllm`)).err).toMatch(
    `no vllm was found on ${machine.node}; nothing was`,
  )
  expect(await attach('desk')).toMatchObject({
    code: 2,
    err: 'motley: found "desk", allowed: <node>/<engine> or <node>/<port>, as desk/ollama or desk/11434\n',
  })
  const done = await attach(`${machine.node}/${vllm.port}`, '--name', 'rack', '--json')
  expect(JSON.parse(done.out)).toMatchObject({ id: 'rack', engine: 'vllm', port: vllm.port })
  await machine.untilState('rack', 'ready')
  expect((await chat(machine.url)).status).toBe(200)
})

test('an attached engine that ends is failed, one that comes back is ready, and a restart of everything keeps it', async () => {
  dataFolder()
  const llama = await engine({ engine: 'llama-server', models: ['qwen3-8b'] })
  const { port } = llama
  const before = await oneMachine([port])
  await untilFound(before, 1)
  await before.admin('attached', 'POST', {
    node: before.node,
    engine: 'llama-server',
    name: 'mine',
  })
  await before.untilState('mine', 'ready')
  await before.close()

  const machine = await oneMachine([port])
  expect(await machine.untilState('mine', 'ready')).toMatchObject({ models: ['qwen3-8b'] })
  await llama.close()
  expect(await machine.untilState('mine', 'failed')).toMatchObject({
    reason: expect.stringContaining('502'),
  })
  await engine({ engine: 'llama-server', models: ['qwen3-8b'], port })
  await machine.untilState('mine', 'ready')
  const { endpoints } = await machine.admin<{ endpoints: AttachedView[] }>('attached')
  expect(endpoints).toMatchObject([{ id: 'mine', port, engine: 'llama-server' }])
})
