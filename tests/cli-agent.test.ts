/** What the agent's command says when it cannot start: one line, and the exit code that fits. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { lockDirectory } from '#agent/replicas/directory-lock.ts'
import { peerTlsOptions } from '#std/peer-tls.ts'
import { afterTest } from './harness/after-test.ts'
import { certificateOf, controllerIn, temporaryFolder } from './harness/join.ts'
import { untilTrue } from './harness/until-true.ts'

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

interface AgentEnd {
  readonly code: number | null
  /** The last line that it printed. */
  readonly last: string
}

async function agent(data: string, ...args: readonly string[]): Promise<AgentEnd> {
  return await started(data, ['--name', 'rtx', ...args]).end
}

/** The command's agent of a recorded machine, with whatever it prints as it does. */
function started(
  data: string,
  args: readonly string[],
  { env = {}, input = '' }: { env?: Record<string, string>; input?: string } = {},
) {
  const own = Object.entries(process.env).filter(([name]) => !/^(MOTLEY|NODE)_/.test(name))
  const recording = here('fixtures/hardware/nvidia/rtx-4090')
  const child = spawn(
    process.execPath,
    [here('bin/motley'), 'agent', '--recording', recording, ...args],
    { cwd: data, env: { ...Object.fromEntries(own), MOTLEY_DATA_DIR: data, ...env } },
  )
  afterTest(() => child.kill('SIGKILL'))
  child.stdin.end(input)
  let err = ''
  child.stderr.on('data', (piece) => {
    err += piece
  })
  const lines = () => err.trimEnd().split('\n')
  const end = once(child, 'close').then(
    (): AgentEnd => ({ code: child.exitCode, last: lines().at(-1) ?? '' }),
  )
  return {
    child,
    end,
    said: (what: RegExp) =>
      untilTrue(String(what), () => what.test(err), { withinMs: 20_000, seen: lines }),
  }
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
    expect.stringMatching(/^motley: --join needs a token for the first time: /),
    expect.stringMatching(/^motley: --token: the token is not whole: /),
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
    {
      code: 3,
      last: expect.stringMatching(
        /^motley: this machine is a node already: process \d+ keeps its replicas, in/,
      ),
    },
    { code: 3, last: expect.stringMatching(/^motley: .*identity\.json is damaged: remove it/) },
    { code: 2, last: expect.stringMatching(/^motley: the controller refuses: .*not known here/i) },
    {
      code: 2,
      last: expect.stringMatching(/^motley: the controller refuses: .*certificate is another/),
    },
  ])
  expect(controller.nodes()).toEqual([])
})

test('a token is read from stdin up to the end of its line, where `ps` does not show it', async () => {
  const { controller, token } = await controllerIn()
  const to = ['--join', `127.0.0.1:${controller.port}`, '--listen', '127.0.0.1:0']
  const { said, child } = started(
    temporaryFolder(),
    [...to, '--name', 'desk', '--token-file', '-'],
    { input: `${Object.values(token()).join('.')}\nand more` },
  )
  await said(/desk is part of the fleet/)
  expect(child.spawnargs.join(' ')).not.toContain('mt-')
})

test('a first join that finds no controller ends in time with exit code 3 and what seems wrong', async () => {
  const { controller, token } = await controllerIn()
  const whole = Object.values(token()).join('.')
  const at = `127.0.0.1:${controller.port}`
  await controller.close()
  const { code, last } = await agent(
    temporaryFolder(),
    ...['--join', at, '--token', whole, '--listen', '127.0.0.1:0', '--join-timeout', '1'],
  )
  expect(code).toBe(3)
  expect(last).toBe(
    `motley: no controller took this machine at ${at} within 1 s (nothing listens there): see that it runs, and that --join has its address`,
  )
})

test('a controller that has moved is found with --join alone, by its certificate', async () => {
  const { controller, directory, token } = await controllerIn()
  const data = temporaryFolder()
  const listen = ['--listen', '127.0.0.1:0']
  const at = (port: number) => ['--join', `127.0.0.1:${port}`, '--join-timeout', '20', ...listen]
  const env = { MOTLEY_TOKEN: Object.values(token()).join('.') }
  const first = started(data, at(controller.port), { env })
  await first.said(/is part of the fleet/)
  first.child.kill('SIGTERM')
  await first.end
  const { port: oldPort } = controller
  await controller.close()

  const moved = await controllerIn(directory)
  expect(moved.controller.port).not.toBe(oldPort)
  const stranger = await otherController()
  expect(await started(data, at(stranger)).end).toEqual({
    code: 2,
    last: `motley: the controller refuses: what answers at 127.0.0.1:${stranger} is not the controller that this machine belongs to: its certificate is another. Somebody may be in between; to join that one, give a token of it`,
  })
  const second = started(data, at(moved.controller.port))
  await second.said(/is part of the fleet/)
  second.child.kill('SIGTERM')
  await second.end
  // The new address is kept, and needs no option any more.
  const third = started(data, listen)
  await third.said(/is part of the fleet/)
  expect(moved.controller.nodes()).toHaveLength(1)
})

/** Another controller at the address. */
async function otherController(): Promise<number> {
  const server = createTlsServer(peerTlsOptions(await certificateOf('stranger')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => server.close())
  return (server.address() as AddressInfo).port
}

test('a node keeps the name that it joined with, whatever it is started with later', {
  timeout: 60_000,
}, async () => {
  const { controller, token } = await controllerIn()
  const data = temporaryFolder()
  const to = ['--join', `127.0.0.1:${controller.port}`, '--listen', '127.0.0.1:0']
  const env = { MOTLEY_TOKEN: Object.values(token()).join('.') }
  const first = started(data, [...to, '--name', 'desk'], { env })
  await first.said(/^desk is part of the fleet$/m)
  first.child.kill('SIGINT')
  await first.end
  const second = started(data, ['--listen', '127.0.0.1:0', '--name', 'tower'])
  await second.said(/desk is part of the fleet; it keeps that name, and --name is for the first/)
})

test('a revoked node ends with exit code 3, while it is connected and when it dials again', {
  timeout: 60_000,
}, async () => {
  const { controller, token } = await controllerIn()
  const data = temporaryFolder()
  const to = ['--join', `127.0.0.1:${controller.port}`, '--listen', '127.0.0.1:0']
  const env = { MOTLEY_TOKEN: Object.values(token()).join('.') }
  const connected = started(data, [...to, '--name', 'desk'], { env })
  await connected.said(/is part of the fleet/)
  controller.revoke('desk')
  const words =
    /^motley: the controller refuses: this node was revoked: to join again, remove "agent\/identity\.json"/i
  expect(await connected.end).toEqual({ code: 3, last: expect.stringMatching(words) })
  expect(await started(data, ['--listen', '127.0.0.1:0']).end).toEqual({
    code: 3,
    last: expect.stringMatching(words),
  })
})
