import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { startEmulator } from '#emulator/emulator.ts'

const bin = fileURLToPath(new URL('../../bin/motley', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'motley-serve-'))
const running: Running[] = []

interface Running {
  readonly process: ChildProcessWithoutNullStreams
  output: string
  code: number | null
}

/** Starts a command that serves, on a port of its own choice. */
function start(args: readonly string[]): Running {
  const own = Object.entries(process.env).filter(([name]) => !/^(MOTLEY|NODE)_/.test(name))
  const child = spawn(process.execPath, [bin, ...args, '--listen', '127.0.0.1:0'], {
    cwd: folder,
    // A folder of its own: the tester may run a Motley of their own.
    env: { ...Object.fromEntries(own), MOTLEY_DATA_DIR: join(folder, 'data') },
    detached: true, // in a process group of its own, as a terminal starts it
  })
  const started: Running = { process: child, output: '', code: null }
  child.stdout.on('data', (chunk) => (started.output += chunk))
  child.stderr.on('data', (chunk) => (started.output += chunk))
  child.on('close', (code) => {
    started.code = code
  })
  running.push(started)
  return started
}

function says(motley: Running, words: string | RegExp): Promise<void> {
  return vi.waitFor(() => expect(motley.output).toMatch(words), { timeout: 30_000, interval: 20 })
}

function urlOf(motley: Running): string {
  return /http:\/\/127\.0\.0\.1:\d+(?=\/v1)/.exec(motley.output)?.[0] ?? ''
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

afterEach(() => {
  for (const motley of running.splice(0)) motley.process.kill('SIGKILL')
})

async function askTiny(url: string): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'motley-tiny',
      max_tokens: 4,
      messages: [{ role: 'user', content: 'What is Motley?' }],
    }),
  })
}

/** An answer that has begun. */
async function stream(url: string, body: Record<string, unknown>): Promise<Response> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      stream: true,
      messages: [{ role: 'user', content: 'What is Motley?' }],
      ...body,
    }),
  })
  expect(response.status).toBe(200)
  return response
}

test('motley up answers with the bundled model, also after its engine was killed, and stops at SIGTERM', async () => {
  const motley = start(['up'])
  await says(motley, /motley-tiny is loaded(.|\n)* listens/)
  const url = urlOf(motley)
  const answer = (await (await askTiny(url)).json()) as {
    choices: { message: { content: string } }[]
  }
  expect(answer.choices[0]?.message.content).toMatch(/\w/)

  const engine = enginePid(motley)
  process.kill(engine, 'SIGKILL')
  await says(motley, 'the embedded engine runs again')
  await vi.waitFor(async () => expect((await askTiny(url)).status).toBe(200), 30_000)

  const secondEngine = enginePid(motley)
  motley.process.kill('SIGTERM')
  await vi.waitFor(() => expect(motley.code).toBe(0), 30_000)
  expect(isAlive(secondEngine)).toBe(false)
})

test('an engine does not outlive a motley that is killed', async () => {
  const motley = start(['up'])
  await says(motley, 'motley-tiny is loaded')
  const engine = enginePid(motley)
  motley.process.kill('SIGKILL')
  await vi.waitFor(() => expect(isAlive(engine)).toBe(false), 30_000)
})

/** One wish may arrive twice; the second counts when a person has had the time to press again. */
async function pressAgain(motley: Running): Promise<void> {
  const again = setInterval(() => motley.process.kill('SIGINT'), 100)
  await vi.waitFor(() => expect(motley.code).toBe(0), 30_000).finally(() => clearInterval(again))
}

test.skipIf(process.platform === 'win32')(
  'a Ctrl-C, which reaches every process, lets running answers finish',
  async () => {
    const motley = start(['up', '--demo'])
    await says(motley, 'The demo fleet')
    const url = urlOf(motley)
    // The text is for a terminal of the usual width; the lines of the log may be longer.
    const text = motley.output.slice(motley.output.indexOf('The demo fleet'))
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(motley.output).toContain('"model":"llama-3.1-8b"')
    // The one that writes for longer begins first.
    const emulated = await stream(url, { model: 'llama-3.1-8b', max_tokens: 100 })
    const answers = [emulated, await stream(url, { model: 'motley-tiny', max_tokens: 100 })]
    process.kill(-(motley.process.pid ?? 0), 'SIGINT')
    for (const answer of answers) expect(await answer.text()).toMatch(/data: \[DONE\]\s*$/)
    await pressAgain(motley)
    // The model in the box may have written all it has to say by then.
    expect(motley.output).toMatch(/stopping: (2 running answers have|1 running answer has) 30 s/)
    expect(motley.output).not.toMatch(/starts again|runs again|\.ts:\d/)
  },
)

test('a second Ctrl-C stops at once, without a trace of what it cut', async () => {
  const motley = start(['up', '--demo'])
  await says(motley, 'The demo fleet')
  // Nine seconds at the pace of the fastest of them.
  const answer = await stream(urlOf(motley), { model: 'llama-3.1-8b', max_tokens: 900 })
  motley.process.kill('SIGINT')
  await says(motley, 'stopping: 1 running answer has 30 s')
  await pressAgain(motley)
  await answer.text().catch(() => {}) // it was cut
  expect(motley.output).not.toMatch(/starts again|\.ts:\d/)
})

test('an endpoint that goes down and comes back is told, a line each', async () => {
  const first = await startEmulator({ engine: 'vllm', speed: 0 })
  const endpoint = `{ url: "${first.url}", name: rtx, health: { intervalMs: 100 } }`
  writeFileSync(join(folder, 'one.yaml'), `endpoints: [${endpoint}]`)
  const motley = start(['gateway', '-c', 'one.yaml'])
  await says(motley, 'Endpoints: rtx')
  await vi.waitFor(async () => {
    const { status } = await fetch(`${urlOf(motley)}/health/ready`)
    expect(status).toBe(200)
  }, 30_000)
  await first.close()
  await says(motley, /^rtx is failed: /m)
  const second = await startEmulator({
    engine: 'vllm',
    speed: 0,
    port: Number(new URL(first.url).port),
  })
  await says(motley, /^rtx is ready$/m)
  await second.close()
})

test('a changed file is taken as a whole, a wrong one not at all', async () => {
  const file = join(folder, 'fleet.yaml')
  writeFileSync(file, 'endpoints: [{ url: "http://127.0.0.1:9", name: first }]')
  const motley = start(['gateway', '-c', 'fleet.yaml'])
  await says(motley, 'Endpoints: first')

  writeFileSync(file, 'endpoints: [{ url: "http://127.0.0.1:9", name: second }]')
  await says(motley, 'endpoint second added')
  writeFileSync(
    file,
    'endpoints: [{ url: "http://127.0.0.1:9", name: third }]\nrouting: { strategy: x }',
  )
  await says(motley, /fleet.yaml:2: routing.strategy: found "x".*\nconfiguration not changed/)
  expect(motley.output).not.toContain('third added')
  expect(await configurationOf(motley)).toMatchObject({
    ...{ source: 'fleet.yaml', moreProblems: 0 },
    problem: expect.stringMatching(/^line 2: routing.strategy: found "x"/),
  })
  const stats = await (await fetch(`${urlOf(motley)}/stats`)).text()
  expect(stats).toMatch(/fleet\.yaml was changed .* ago and is not used: line 2: routing\.strategy/)

  rmSync(file)
  await says(
    motley,
    /fleet.yaml: cannot be read: there is no such file.*\nconfiguration not changed/,
  )
  expect(await configurationOf(motley)).toMatchObject({
    problem: expect.stringContaining('cannot be read: there is no such file'),
  })
  const endpoints = await fetch(`${urlOf(motley)}/admin/v1/endpoints`)
  expect(JSON.stringify(await endpoints.json())).toContain('"second"')

  writeFileSync(file, 'endpoints: [{ url: "http://127.0.0.1:9", name: fourth }]')
  await says(motley, 'endpoint fourth added')
  expect(await configurationOf(motley)).toBeNull()
})

async function configurationOf(motley: Running): Promise<unknown> {
  const page = await (await fetch(`${urlOf(motley)}/admin/v1/endpoints`)).json()
  return (page as { readonly gateway: { readonly configuration: unknown } }).gateway.configuration
}

test('a script that can no longer be read is told, and the one before is asked', async () => {
  const script = join(folder, 'routing.js')
  const sound = 'function route(request, endpoints) { return endpoints }'
  writeFileSync(script, sound)
  writeFileSync(
    join(folder, 'scripted.yaml'),
    'endpoints: [{ url: "http://127.0.0.1:9", name: rtx }]\nrouting: { script: routing.js }',
  )
  const motley = start(['gateway', '-c', 'scripted.yaml'])
  await says(motley, 'Endpoints: rtx')
  writeFileSync(script, 'function route( {')
  await says(motley, /SyntaxError.*\nconfiguration not changed/)
  expect(await configurationOf(motley)).toMatchObject({
    ...{ source: 'scripted.yaml' },
    problem: expect.stringMatching(/^line 2: routing\.script: .*routing\.js: .*SyntaxError/),
  })
  rmSync(script)
  await says(motley, /routing\.js: there is no such file\nconfiguration not changed/)
  writeFileSync(script, sound)
  await says(motley, 'configuration read again from scripted.yaml')
  expect(await configurationOf(motley)).toBeNull()
})

/** The engine's process, among the tools by which its agent looks at the machine. */
function enginePid({ process: { pid } }: Running): number {
  const isEngine = (child: string): boolean =>
    readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('embedded')
  const engines =
    process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
          .split(' ')
          .filter(Boolean)
          .filter(isEngine)
      : execFileSync('pgrep', ['-P', String(pid), '-f', 'embedded'], { encoding: 'utf8' })
          .trim()
          .split('\n')
  return Number(engines.at(-1))
}

test('a start and a reload tell of names in rules that nothing in the file has, and go on', async () => {
  const file = join(folder, 'stray.yaml')
  const rule = (name: string) =>
    `endpoints: [{ url: "http://127.0.0.1:9", name: rtx }]
routing: { rules: [{ require: { endpoints: [${name}] } }] }`
  writeFileSync(file, rule('rtxx'))
  const motley = start(['gateway', '-c', file])
  await says(motley, /stray\.yaml: .*endpoints\[0\]: no endpoint of this file is called "rtxx"/)
  await says(motley, 'Motley 0.1.0 listens')
  writeFileSync(file, rule('rtz'))
  await says(motley, /called "rtz"; did you mean "rtx"\?/)
  await says(motley, 'configuration read again')
})
