/** Ctrl-C at several moments of the commands that take a while: prompt, whole, and with nothing left. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { controllerIn, temporaryFolder } from './harness/join.ts'
import { untilTrue } from './harness/until-true.ts'

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

function motley(args: readonly string[], env: Record<string, string> = {}) {
  return run(process.execPath, [here('bin/motley'), ...args], env)
}

function run(command: string, args: readonly string[], env: Record<string, string> = {}) {
  const own = Object.entries(process.env).filter(([name]) => !/^(MOTLEY|NODE)_/.test(name))
  const data = env['MOTLEY_DATA_DIR'] ?? temporaryFolder()
  const child = spawn(command, args, {
    cwd: data,
    env: { ...Object.fromEntries(own), MOTLEY_DATA_DIR: data, ...env },
  })
  afterTest(() => child.kill('SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece) => {
      text += piece
    })
  }
  const end = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  return {
    child,
    end,
    text: () => text,
    said: (what: RegExp) =>
      untilTrue(String(what), () => what.test(text), { withinMs: 20_000, seen: () => text }),
  }
}

/** As npm does: the terminal has sent it already, and it is passed on. */
function pressTwice(child: ChildProcess): void {
  child.kill('SIGINT')
  child.kill('SIGINT')
}

/** What is asked over HTTP: it answers all, nothing, or no more than what has no body. */
async function page(answers: 'all' | 'nothing' | 'GET') {
  const asked: string[] = []
  const server: Server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (answers === 'nothing' || (answers === 'GET' && request.method !== 'GET')) return
    // No node can read the headers of weights, either.
    if (request.url !== '/admin/v1/placement') response.statusCode = 409
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ nodes: [], wanted: {}, error: { message: 'there is none' } }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterTest(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function wishes(): string {
  const file = join(temporaryFolder(), 'motley.yaml')
  writeFileSync(file, 'deployments:\n  chat: { model: "hf:owner/model-GGUF:Q4_K_M" }\n')
  return file
}

describe('motley apply', () => {
  test('while the controller does not answer, it ends as any program does', async () => {
    const { asked, url } = await page('nothing')
    const { child, end } = motley(['apply', wishes(), '--url', url])
    await untilTrue('it asks', () => asked.length > 0, { withinMs: 20_000 })
    child.kill('SIGINT')
    expect(await end).toEqual([null, 'SIGINT'])
  })

  const script = '/usr/bin/script'
  test.skipIf(process.platform !== 'linux' || !existsSync(script)).each([
    { key: 'Ctrl-C', byte: '\x03' },
    { key: 'Ctrl-D', byte: '\x04' },
  ])('$key at its question: nothing was applied', async ({ byte }) => {
    const { asked, url } = await page('all')
    const command = [process.execPath, here('bin/motley'), 'apply', wishes(), '--url', url]
    // Gives it a terminal, and what is written here is typed there.
    const typed = run(script, ['-qec', command.map((word) => `'${word}'`).join(' '), '/dev/null'])
    await typed.said(/Apply this\?/)
    typed.child.stdin.write(byte)
    expect(await typed.end).toEqual([130, null])
    expect(typed.text()).toContain('\r\nmotley: stopped; nothing was applied')
    expect(asked.filter((line) => line.startsWith('PUT'))).toEqual([])
  })
})

describe('motley load', () => {
  const load = (url: string) =>
    motley(['load', '--model', 'm', '--url', url, '--rate', '50', '--json'])

  test('while it asks which models are served, it ends at once: nothing was sent', async () => {
    const { asked, url } = await page('nothing')
    const { child, end, text } = load(url)
    await untilTrue('it asks', () => asked.length > 0, { withinMs: 20_000 })
    pressTwice(child)
    expect([await end, text()]).toEqual([[130, null], 'motley: stopped; nothing was sent\n'])
    expect(asked).toEqual(['GET /v1/models'])
  })

  test('it tells what it has measured, also when it hears Ctrl-C twice at once', async () => {
    const { asked, url } = await page('GET')
    const { child, end, text } = load(url)
    const isMeasuring = () => asked.some((line) => line.startsWith('POST'))
    await untilTrue('it measures', isMeasuring, { withinMs: 20_000, seen: () => asked })
    pressTwice(child)
    expect([await end, text()]).toEqual([[130, null], expect.stringMatching(/"stopped": true/)])
  })
})

describe('motley agent', () => {
  const recording = here('fixtures/hardware/nvidia/rtx-4090')

  async function fleet() {
    const { controller, token } = await controllerIn()
    const data = temporaryFolder()
    const env = { MOTLEY_DATA_DIR: data, MOTLEY_TOKEN: Object.values(token()).join('.') }
    const start = (port = controller.port) =>
      motley(
        ['agent', '--recording', recording, '--name', 'desk', '--listen', '127.0.0.1:0'].concat([
          '--join',
          `127.0.0.1:${port}`,
        ]),
        env,
      )
    return { start, data }
  }

  /** It has left nothing behind that keeps the next one from joining. */
  async function joins({ start }: Awaited<ReturnType<typeof fleet>>): Promise<void> {
    const { child, end, said } = start()
    await said(/is part of the fleet/)
    pressTwice(child)
    expect(await end).toEqual([0, null])
  }

  test('while what it dials says nothing', { timeout: 60_000 }, async () => {
    const started = await fleet()
    const silent = createTcpServer(() => {}).listen(0, '127.0.0.1')
    afterTest(() => silent.close())
    await once(silent, 'listening')
    const dialled = once(silent, 'connection')
    const { child, end } = started.start((silent.address() as AddressInfo).port)
    const [socket] = await dialled
    afterTest(() => socket.destroy())
    child.kill('SIGINT')
    const [code, signal] = await end
    expect(signal ?? code).toSatisfy((how: unknown) => how === 'SIGINT' || how === 0)
    await joins(started)
  })

  test('as soon as it has written anything', { timeout: 60_000 }, async () => {
    const started = await fleet()
    const { child, end } = started.start()
    const written = join(started.data, 'agent')
    await untilTrue('it begins', () => existsSync(written), { withinMs: 20_000 })
    child.kill('SIGINT')
    await end
    await joins(started)
  })
})
