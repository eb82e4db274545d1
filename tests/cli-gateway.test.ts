/** The commands that ask a running gateway, and what it says to their keys. */
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { motley as motleyCommand } from './harness/command.ts'
import { endpointsOf, engine, fleet } from './harness/fleet.ts'

/** A folder with a motley.yaml, as it lies beside a gateway. */
function folderWith(yaml: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'motley-beside-'))
  writeFileSync(join(folder, 'motley.yaml'), yaml)
  return folder
}

const motley = (args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) =>
  motleyCommand(args, { cwd, env })

test('status finds the gateway that motley.yaml beside it describes', async () => {
  const { url } = await fleet({ endpoints: endpointsOf({ rtx: await engine() }) })
  const { port } = new URL(url)
  const keys = `keys: [{ name: app, key: "\${NOT_SET_IN_THIS_SHELL}" }]`
  const folder = folderWith(`gateway: { listen: "0.0.0.0:${port}", ${keys} }`)
  const { code, out } = await motley(['status'], folder)
  expect({ code, first: out.split('\n')[0] }).toEqual({
    code: 0,
    first: '1 of 1 endpoints ready, 0 requests running, 0 waiting',
  })
})

test('status says where it has its address from when nobody answers there', async () => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const listen = `127.0.0.1:${(closed.address() as AddressInfo).port}`
  closed.close()
  const { err, code } = await motley(['status'], folderWith(`gateway: { listen: "${listen}" }`))
  expect({ code, err }).toEqual({
    code: 3,
    err: `motley: no gateway answers at http://${listen} (nothing listens there, gateway.listen of motley.yaml): start one with "motley up", or name another with --url\n`,
  })
})

test('plan and why-not say how to do without a gateway where none answers', async () => {
  const folder = folderWith('deployments: { chat: { model: llama-3.1-8b } }')
  const nobody = ['--url', 'http://127.0.0.1:1']
  const [plan, whyNot] = await Promise.all([
    motley(['plan', 'motley.yaml', ...nobody], folder),
    motley(['why-not', 'chat', 'rtx', '--file', 'motley.yaml', ...nobody], folder),
  ])
  for (const { code, err } of [plan, whyNot]) {
    expect(code).toBe(3)
    expect(err).toContain('--inventory FILE takes what "motley nodes --json > FILE" wrote')
  }
})

const keys = [
  { name: 'app', key: 'key-of-app' },
  { name: 'ops', key: 'key-of-ops', admin: true },
]

test('a key that is not known is 401, one that may not look is 403, an admin key looks', async () => {
  const { url } = await fleet({ gateway: { keys } }, { settled: false })
  const ask = async (key: string | null) => {
    const headers = key === null ? {} : { authorization: `Bearer ${key}` }
    const answer = await fetch(`${url}/stats`, { headers })
    const text = await answer.text()
    return { status: answer.status, code: answer.ok ? null : JSON.parse(text).error.code }
  }
  expect(await Promise.all([null, 'nobody-s', 'key-of-app', 'key-of-ops'].map(ask))).toEqual([
    { status: 401, code: 'invalid_api_key' },
    { status: 401, code: 'invalid_api_key' },
    { status: 403, code: 'admin_only' },
    { status: 200, code: null },
  ])
})

test('a command whose key is missing, unknown or too weak says what to do', async () => {
  const { url } = await fleet({ gateway: { keys } }, { settled: false })
  const folder = folderWith('')
  const says = async (command: string, key: string) => {
    const { err } = await motley([command, '--url', url], folder, { MOTLEY_KEY: key })
    return err.replace(url, 'URL')
  }
  const make = '"motley key create --name ops --admin" makes one'
  expect(await says('models', '')).toBe(
    'motley: the gateway at URL wants a key: set MOTLEY_KEY to any key of gateway.keys\n',
  )
  expect(await says('status', '')).toBe(
    `motley: the gateway at URL wants a key: set MOTLEY_KEY to an admin key of gateway.keys; ${make}\n`,
  )
  expect(await says('status', 'nobody-s')).toBe(
    `motley: the gateway at URL does not know the key in MOTLEY_KEY: set it to an admin key of gateway.keys; ${make}\n`,
  )
  expect(await says('status', 'key-of-app')).toBe(
    `motley: the gateway at URL knows the key in MOTLEY_KEY, but not as an admin key, which this needs; ${make}\n`,
  )
})

test('key create --admin prints an entry that makes an admin', async () => {
  const folder = folderWith('')
  const { out } = await motley(['key', 'create', '--name', 'ops', '--admin'], folder)
  const key = /mk-[\w-]+/.exec(out)?.[0] ?? ''
  const entry = /gateway:(.|\n)*admin: true/.exec(out)?.[0] ?? ''
  writeFileSync(join(folder, 'motley.yaml'), entry)
  expect(await motley(['config', 'check'], folder)).toMatchObject({
    code: 0,
    out: 'motley.yaml is valid: 0 endpoints, 1 key\n',
  })
  expect(out).toContain(`export MOTLEY_KEY=${key}`)
})

test('GET /v1 says where to go', async () => {
  const { url } = await fleet({}, { settled: false })
  const answer = await fetch(`${url}/v1`)
  expect(await answer.json()).toMatchObject({ api: '/v1', models: '/v1/models' })
})
