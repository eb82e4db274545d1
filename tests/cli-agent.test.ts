/** What the agent's command says when it cannot start: one line, and the exit code that fits. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { lockDirectory } from '#agent/replicas/directory-lock.ts'
import { afterTest } from './harness/after-test.ts'
import { controllerIn, temporaryFolder } from './harness/join.ts'

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

async function agent(data: string, ...args: readonly string[]) {
  const own = Object.entries(process.env).filter(([name]) => !/^(MOTLEY|NODE)_/.test(name))
  const recording = here('fixtures/hardware/nvidia/rtx-4090')
  const child = spawn(
    process.execPath,
    [here('bin/motley'), 'agent', '--recording', recording, '--name', 'rtx', ...args],
    { cwd: data, env: { ...Object.fromEntries(own), MOTLEY_DATA_DIR: data } },
  )
  afterTest(() => child.kill('SIGKILL'))
  let err = ''
  child.stderr.on('data', (piece) => {
    err += piece
  })
  await once(child, 'close')
  const last = err.trimEnd().split('\n').at(-1) ?? ''
  return { code: child.exitCode, last }
}

test('without a controller, and with arguments that cannot be, it says what would be right', async () => {
  const data = temporaryFolder()
  const whole = `mt-${'x'.repeat(32)}.${'0'.repeat(64)}`
  const join = ['--join', '127.0.0.1:1', '--token', whole]
  const said = await Promise.all([
    agent(data),
    agent(data, '--join', '127.0.0.1:1'),
    agent(data, '--join', '127.0.0.1:1', '--token', 'mt-half'),
    agent(data, '--join', 'node0', '--token', whole),
    agent(data, ...join, '--name', 'my desk'),
    agent(data, ...join, '--advertise', 'http://desk'),
  ])
  expect(said.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 2])
  expect(said.map(({ last }) => last)).toEqual([
    expect.stringMatching(
      /^motley: this machine has not joined a fleet: run "motley token create"/,
    ),
    expect.stringMatching(/^motley: --join needs --token: /),
    expect.stringMatching(/^motley: --token is not whole: /),
    expect.stringMatching(/^motley: --join: found "node0", allowed: host:port/),
    expect.stringMatching(/^motley: --name: found "my desk", allowed: a name of letters, digits/),
    expect.stringMatching(/^motley: --advertise: found "http:\/\/desk", allowed: a host name/),
  ])
})

test('a taken port, a second agent, a damaged identity and a refusal are told in one line', async () => {
  const { controller, token } = await controllerIn()
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  afterTest(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const { secret, fingerprint } = token()
  const joining = (tokenText: string, listen = '127.0.0.1:0') => [
    ...['--join', `127.0.0.1:${controller.port}`, '--token', tokenText, '--listen', listen],
  ]
  const locked = temporaryFolder()
  const unlock = await lockDirectory(join(locked, 'agent', 'replicas', 'lock'))
  afterTest(unlock)
  const damaged = temporaryFolder()
  mkdirSync(join(damaged, 'agent'))
  writeFileSync(join(damaged, 'agent', 'identity.json'), '{')

  const whole = `${secret}.${fingerprint}`
  const said = await Promise.all([
    agent(temporaryFolder(), ...joining(whole, `127.0.0.1:${port}`)),
    agent(locked, ...joining(whole)),
    agent(damaged, ...joining(whole)),
    agent(temporaryFolder(), ...joining(`mt-${'x'.repeat(32)}.${fingerprint}`)),
    agent(temporaryFolder(), ...joining(`${secret}.${'0'.repeat(64)}`)),
  ])
  expect(said).toEqual([
    { code: 3, last: expect.stringMatching(/^motley: port \d+ is taken.*--listen 127\.0\.0\.1:/) },
    { code: 3, last: expect.stringMatching(/^motley: process \d+ supervises the replicas in/i) },
    { code: 3, last: expect.stringMatching(/^motley: .*identity\.json is damaged: remove it/) },
    { code: 2, last: expect.stringMatching(/^motley: the controller refuses: .*not known here/i) },
    {
      code: 2,
      last: expect.stringMatching(/^motley: the controller refuses: .*certificate is another/),
    },
  ])
  expect(controller.nodes()).toEqual([])
})
