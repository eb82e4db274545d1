/** `routing.rules` and `routing.script`, on requests that go through a gateway. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startRouteScript } from '#gateway/script/route-script.ts'
import { systemClock } from '#std/clock.ts'
import { afterTest } from './harness/after-test.ts'
import { motley } from './harness/command.ts'
import { endpointsOf, engine, type Fleet, fleet, post, question } from './harness/fleet.ts'

async function ask(url: string, model: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 }),
  })
  return {
    status: response.status,
    endpoint: response.headers.get('x-motley-endpoint'),
    id: response.headers.get('x-request-id') ?? '',
    body: (await response.json()) as { error?: { code: string; message: string } },
  }
}

/**
 * The desk: a gaming PC, a Mac, a CPU box, and what each is written to be. No check decides their
 * states: a busy machine that misses two of them is out, and then another one is rightly chosen.
 */
async function desk(routing: Record<string, unknown>): Promise<Fleet> {
  const models = ['llama-3.1-8b', 'llama-3.1-70b']
  const machines = {
    gaming: { backend: 'cuda', vram: '24GiB' },
    studio: { backend: 'metal', vram: '96GiB' },
    box: { backend: 'cpu', vram: '64GiB', labels: { privacy: 'in-house' } },
  }
  const endpoints = []
  for (const [name, facts] of Object.entries(machines)) {
    endpoints.push(
      ...endpointsOf(
        { [name]: await engine({ models }) },
        { ...facts, models, health: { enabled: false } },
      ),
    )
  }
  return fleet({ endpoints, routing: { slowStartMs: 0, ...routing } }, { watched: false })
}

const sizes = [
  {
    when: { modelSize: '>40B' },
    require: { minVram: '40GiB' },
    prefer: { backends: ['cuda', 'metal'] },
  },
  { when: { modelSize: '<10B' }, require: { minVram: '8GiB' }, prefer: { backends: ['cuda'] } },
]

test('a 70B model goes to the only GPU with 40 GiB, and an 8B model to CUDA while it is there', async () => {
  const { url } = await desk({ rules: sizes })
  for (let round = 0; round < 5; round++) {
    expect(await ask(url, 'llama-3.1-70b')).toMatchObject({ status: 200, endpoint: 'studio' })
    expect(await ask(url, 'llama-3.1-8b')).toMatchObject({ status: 200, endpoint: 'gaming' })
  }
})

test('what no endpoint may take is refused with what each lacks, and why tells the rule', async () => {
  const { url } = await desk({ rules: [{ require: { minVram: '200GiB' } }] })
  const { status, body, id } = await ask(url, 'llama-3.1-8b')
  expect(status).toBe(403)
  expect(body.error).toMatchObject({ code: 'no_permitted_endpoint', type: 'permission_error' })
  expect(body.error?.message).toContain(`\`motley why ${id}\``)
  expect(body.error?.message).toContain(
    'gaming has 24 GiB of memory, and 200 GiB are needed (rule 1)',
  )
  const { out } = await motley(['why', id, '--url', url])
  expect(out).toContain('has 24 GiB of memory, and 200 GiB are needed (rule 1)')
})

test('what one key asks stays on endpoints that are labelled for it', async () => {
  const keys = [
    { name: 'hr', key: 'hr-key-123' },
    { name: 'app', key: 'app-key-123' },
    { name: 'ops', key: 'ops-key-123', admin: true },
  ]
  const { url } = await deskWithKeys(keys, [
    { when: { keys: ['hr'] }, require: { labels: { privacy: 'in-house' } } },
    { when: { keys: ['app'] }, require: { endpoints: ['gaming'] } },
  ])
  const as = (key: string) => ({ authorization: `Bearer ${key}` })
  expect(await ask(url, 'llama-3.1-8b', as('hr-key-123'))).toMatchObject({ endpoint: 'box' })
  expect(await ask(url, 'llama-3.1-8b', as('app-key-123'))).toMatchObject({ endpoint: 'gaming' })
})

async function deskWithKeys(keys: unknown, rules: unknown): Promise<Fleet> {
  const models = ['llama-3.1-8b']
  const endpoints = [
    ...endpointsOf({ gaming: await engine({ models }) }),
    ...endpointsOf({ box: await engine({ models }) }, { labels: { privacy: 'in-house' } }),
  ]
  return fleet(
    { gateway: { keys }, endpoints, routing: { rules, slowStartMs: 0 } },
    { adminKey: 'ops-key-123' },
  )
}

async function withScript({ gateway }: Fleet, text: string): Promise<void> {
  const script = await startRouteScript(text, systemClock)
  afterTest(() => script.close())
  gateway.useScript(script)
}

test('a script narrows what the rules leave', async () => {
  const made = await desk({ rules: [{ require: { minVram: '40GiB' } }] })
  await withScript(made, `const route = (request, all) => all.filter((e) => e.backend !== 'metal')`)
  expect(await ask(made.url, 'llama-3.1-8b')).toMatchObject({ status: 200, endpoint: 'box' })
})

test('a script that fails leaves the decision to the rules, and says so in the log and metrics', async () => {
  const made = await desk({ rules: sizes })
  await withScript(made, `function route() {\n  return nowhere\n}`)
  for (let round = 0; round < 3; round++) {
    expect(await ask(made.url, 'llama-3.1-70b')).toMatchObject({ status: 200, endpoint: 'studio' })
  }
  expect(made.log.filter((line) => line.includes('routing.script'))).toEqual([
    "routing.script failed, and rules alone decided: it threw ReferenceError: 'nowhere' is not defined (line 2)",
  ])
  const metrics = await (await fetch(`${made.url}/metrics`)).text()
  expect(metrics).toContain('motley_routing_script_failures_total 3')
  const { out } = await motley(['status', '--url', made.url])
  expect(out).toContain('! routing.script failed 3 times, last ')
  expect(out).toContain("'nowhere' is not defined (line 2)")
})

test('a request that a script failed for says so in its record, and one after a reload anew in the log', async () => {
  const made = await desk({})
  const forgets = 'function route() { return undefined }'
  await withScript(made, forgets)
  const { id } = await ask(made.url, 'llama-3.1-8b')
  const why = 'route() returned no list of endpoints'
  const record = await (await fetch(`${made.url}/admin/v1/decisions/${id}`)).json()
  expect(record).toMatchObject({ scriptFailures: [{ model: 'llama-3.1-8b', why }] })
  const { out } = await motley(['why', id, '--url', made.url])
  expect(out).toContain(`routing.script failed (${why}): rules alone decided.`)
  await withScript(made, forgets)
  await ask(made.url, 'llama-3.1-8b')
  const line = `routing.script failed, and rules alone decided: ${why}`
  expect(made.log.filter((each) => each.includes('routing.script'))).toEqual([line, line])
})

test('a script that leaves nobody is an answer, and is named as the reason', async () => {
  const made = await desk({})
  await withScript(made, 'const route = () => []')
  const { status, body } = await ask(made.url, 'llama-3.1-8b')
  expect(status).toBe(403)
  expect(body.error?.message).toContain('gaming was left out by routing.script')
  const answers = await Promise.all(
    ['/v1/messages', '/api/chat'].map((path) =>
      post(`${made.url}${path}`, { ...question, model: 'llama-3.1-8b' }),
    ),
  )
  expect(answers.map((answer) => answer.status)).toEqual([403, 403])
  const [anthropic, ollama] = await Promise.all(answers.map((answer) => answer.json()))
  expect(anthropic).toMatchObject({ type: 'error', error: { type: 'permission_error' } })
  expect(ollama).toEqual({ error: expect.stringContaining('routing.script') })
})

test('a configuration with a script that is none is refused before anything listens', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'motley-script-'))
  afterTest(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'motley.yaml'), 'routing: { script: ./routing.js }')
  const missing = await motley(['gateway', '--listen', '127.0.0.1:0'], { cwd: folder })
  expect(missing).toMatchObject({
    code: 2,
    err: expect.stringMatching(
      /motley\.yaml:1: routing\.script: .*routing\.js: there is no such file/,
    ),
  })
  writeFileSync(join(folder, 'routing.js'), 'function route( {')
  const broken = await motley(['config', 'check'], { cwd: folder })
  expect(broken).toMatchObject({ code: 2, err: expect.stringContaining('SyntaxError') })
})
