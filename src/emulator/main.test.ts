import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { emulateOptions, readArguments } from '#emulator/run-emulate.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
const conditions = '--conditions=motley-source'

/** A process, its first line of output and how it exits. */
function launch(...args: string[]) {
  const child = spawn(process.execPath, [conditions, main, ...args])
  const exit = once(child, 'exit')
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return { child, exit, line: async () => String((await lines.next()).value) }
}

test('its first line is its description, and SIGTERM ends it with 0', async () => {
  const { child, exit, line } = launch(
    ...['--engine', 'sglang', '--device', 'h100-sxm', '--model', 'a', '--model', 'b'],
    ...['--speed', '0', '--fault', 'status:500@first', '--json'],
  )
  const described = JSON.parse(await line())
  expect(described).toMatchObject({
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    engine: 'sglang',
    device: 'h100-sxm',
    models: ['a', 'b'],
    pid: child.pid,
    emulator: true,
  })
  const health = await fetch(`${described.url}/health`)
  expect(health.headers.get('x-motley-emulator')).toBe('sglang; device=h100-sxm')
  child.kill('SIGTERM')
  expect(await exit).toEqual([0, null])
})

test('without --json it says the same to a person', async () => {
  const { child, exit, line } = launch('--engine', 'ollama')
  expect(await line()).toMatch(
    /^ollama: emulating ollama with llama-3\.1-8b at http:\/\/127\.0\.0\.1:\d+$/,
  )
  child.kill('SIGTERM')
  await exit
})

test('it exits when told to over HTTP', async () => {
  const { exit, line } = launch('--json')
  const { url } = JSON.parse(await line())
  await (await fetch(`${url}/emulator/exit`, { method: 'POST' })).text()
  expect(await exit).toEqual([0, null])
})

test('it goes with the process that forked it', async () => {
  const child = fork(main, ['--json'], { execArgv: [conditions], silent: true })
  const exit = once(child, 'exit')
  await once(child.stdout ?? child, 'data')
  child.disconnect()
  expect(await exit).toEqual([0, null])
})

test('a Ctrl-C is for the process that forked it: it goes on', async () => {
  const child = fork(main, ['--json'], { execArgv: [conditions], silent: true })
  const exit = once(child, 'exit')
  const [line] = await once(child.stdout ?? child, 'data')
  child.kill('SIGINT')
  child.kill('SIGHUP')
  expect((await fetch(`${JSON.parse(String(line)).url}/health`)).status).toBe(200)
  child.kill('SIGTERM')
  expect(await exit).toEqual([0, null])
})

test('wrong usage is one line on stderr and exit code 2', async () => {
  const { child, exit } = launch('--engine', 'vlm')
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += String(chunk)
  })
  expect(await exit).toEqual([2, null])
  expect(errors).toBe(
    'motley emulate: --engine: found "vlm", allowed: one of vllm, sglang, llama-server, ollama, openai\n',
  )
})

test('every flag becomes its option', () => {
  const given = readArguments([
    ...['--engine', 'llama-server', '--device', 'm3-max-40', '--model', 'a', '--port', '8080'],
    ...['--host', '::1', '--speed', '2', '--prefill-rate', '100', '--decode-rate', 'Infinity'],
    ...['--slots', '3', '--load-ms', '500', '--seed', '7', '--api-key', 'k', '--fault', 'hang'],
    ...['--task', 'rerank'],
  ])
  expect(emulateOptions(given)).toEqual({
    engine: 'llama-server',
    device: 'm3-max-40',
    models: ['a'],
    port: 8080,
    host: '::1',
    speed: 2,
    prefillTokensPerSecond: 100,
    decodeTokensPerSecond: Number.POSITIVE_INFINITY,
    slots: 3,
    loadMs: 500,
    seed: 7,
    apiKey: 'k',
    faults: [{ kind: 'hang', when: {} }],
    tasks: ['rerank'],
  })
})

test.each([
  [['--port', 'http'], '--port: found "http", allowed: a number'],
  [['--fault', 'cut'], '--fault: Cannot read the fault "cut": it is written like cut:40.'],
  [['--no-such-flag'], 'Cannot read the command line'],
])('%j is refused', (argv, message) => {
  expect(() => emulateOptions(readArguments(argv))).toThrow(message)
})
