/** A plan of an adapter, started for real, and read by the adapter that made it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { EngineAnswer } from '#engines/engine.ts'
import { identifyEngine } from '#engines/engine-identification.ts'
import { explainLastWords } from '#engines/engine-known-errors.ts'
import type { LaunchPlan, LaunchRequest } from '#engines/engine-launch.ts'
import { engines } from '#engines/index.ts'
import { motleyEmbedded } from '#engines/motley-embedded.ts'
import { afterTest } from './harness/after-test.ts'

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

const request: LaunchRequest = {
  replicaId: 'tiny-1',
  modelName: 'tiny',
  task: 'chat',
  weights: { format: 'gguf', path: here('models/motley-tiny.gguf'), root: here('models') },
  host: '127.0.0.1',
  port: 0, // any that is free; it says which
  backend: 'cpu',
  devices: [{ index: 0, uuid: null, busId: null, architecture: null, unifiedMemory: true }],
  contextTokens: 256,
  slots: 2,
  memoryFraction: null,
  kvCacheType: null,
  offload: null,
  tensorParallel: 1,
  kind: 'native',
  executable: null,
  ownProgram: {
    command: process.execPath,
    args: [
      '--conditions=motley-source',
      '--disable-warning=ExperimentalWarning',
      here('src/embedded/main.ts'),
    ],
  },
  deviceGroupIds: [],
  cacheDirectory: null,
  allowsArchitectureOverride: false,
  extraArgs: ['--threads', '1'],
  apiKey: 'key-of-this-test',
}

function planFor(changes: Partial<LaunchRequest> = {}): LaunchPlan {
  const plan = motleyEmbedded.launch?.({ ...request, ...changes })
  if (plan?.kind !== 'plan') throw new Error(plan?.message ?? 'it cannot be launched')
  return plan
}

function start(plan: LaunchPlan): { child: ChildProcess; lines: AsyncIterator<string> } {
  const child = spawn(plan.command, plan.args, {
    env: { ...process.env, ...plan.env, ...plan.secretEnv },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  afterTest(() => {
    child.kill('SIGKILL')
  })
  const output = child.stdout
  if (output === null) throw new Error('its output is not piped')
  return { child, lines: createInterface({ input: output })[Symbol.asyncIterator]() }
}

async function nextFields(lines: AsyncIterator<string>): Promise<Record<string, unknown>> {
  const { value } = await lines.next()
  return JSON.parse(value)
}

async function fetchPage(url: string): Promise<EngineAnswer> {
  const response = await fetch(url, { headers: { authorization: 'Bearer key-of-this-test' } })
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  }
}

test('the embedded engine starts as planned, is read as itself, continues, and ends in time', async () => {
  const plan = planFor()
  const { child, lines } = start(plan)
  const { url } = await nextFields(lines)
  expect(await nextFields(lines)).toMatchObject({ ready: true, model: plan.servedName })

  const page = (path: string): Promise<EngineAnswer> => fetchPage(`${url}${path}`)
  expect((await identifyEngine(engines, page))?.engine.id).toBe('motley-embedded')
  const { health, models, loadPages, continuation, stop } = motleyEmbedded
  expect(health.read(await page(health.path))).toBe('ready')
  expect(models.read(await page(models.path))).toMatchObject([
    { servedName: 'tiny', contextTokens: 256 },
  ])
  const loadPage = loadPages[0]
  if (loadPage === undefined) throw new Error('it has no load page')
  expect(loadPage.read(await page(loadPage.path))).toMatchObject({ runningRequests: 0, slots: 2 })

  if (continuation.kind !== 'assistant-prefill') throw new Error('it continues nothing')
  const said = 'Once upon a'
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer key-of-this-test',
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      model: plan.servedName,
      messages: [
        { role: 'user', content: 'Tell me a story.' },
        { role: 'assistant', content: said },
      ],
      max_tokens: 8,
      temperature: 0,
      ...continuation.fields,
    }),
  })
  expect(response.status).toBe(200)
  const answer = (await response.json()) as { choices: { message: { content: string } }[] }
  const content = answer.choices[0]?.message.content ?? ''
  expect(content).not.toBe('')
  expect(content.startsWith(said)).toBe(continuation.repeatsUnlessStreamed)

  const refused = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: '{}' })
  expect(refused.status).toBe(401)

  const startedMs = performance.now()
  const ended = once(child, 'exit')
  child.kill(stop.signal)
  await ended
  expect(performance.now() - startedMs).toBeLessThan(stop.graceMs)
})

test('it answers from a KV cache of eight bits', async () => {
  const { lines } = start(planFor({ kvCacheType: 'q8_0' }))
  const { url } = await nextFields(lines)
  expect(await nextFields(lines)).toMatchObject({ ready: true })
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer key-of-this-test',
      'content-type': 'application/json',
    },
    body: JSON.stringify({ model: 'tiny', prompt: 'Once upon a', max_tokens: 4 }),
  })
  expect(await response.json()).toMatchObject({ usage: { completion_tokens: 4 } })
})

test('its last words about a file that is no model are understood', async () => {
  const weights = { format: 'gguf', path: here('package.json'), root: here('.') } as const
  const { lines } = start(planFor({ weights }))
  await nextFields(lines) // it listens before it has looked at the file
  const { error } = await nextFields(lines)
  expect(explainLastWords(motleyEmbedded.knownErrors, String(error))?.meaning).toMatch(
    /damaged, not complete, or of another format/,
  )
})
