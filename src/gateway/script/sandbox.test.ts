import { expect, onTestFinished, test } from 'vitest'
import { openSandbox, type Sandbox, SandboxError } from '#gateway/script/sandbox.ts'
import type { ScriptEndpoint, ScriptRequest } from '#gateway/script/script-wire.ts'

const request: ScriptRequest = {
  model: 'llama-3.1-70b',
  task: 'chat',
  key: 'app',
  promptTokens: 500,
  maxTokens: null,
  stream: true,
  parameterCount: 70e9,
}

function endpoint(name: string, part: Partial<ScriptEndpoint> = {}): ScriptEndpoint {
  return {
    name,
    state: 'ready',
    engine: 'vllm',
    backend: 'cuda',
    vramBytes: 24 * 2 ** 30,
    node: null,
    labels: {},
    weight: 1,
    inFlight: 0,
    ttftMs: null,
    ...part,
  }
}

const endpoints = [
  endpoint('gaming'),
  endpoint('rack', { vramBytes: 80 * 2 ** 30 }),
  endpoint('studio', { backend: 'metal', vramBytes: 96 * 2 ** 30 }),
]

/** Time in which a run is never late. */
const noTime = () => 0

/** A millisecond passes at each look. */
function passingTime(): () => number {
  let nowMs = 0
  return () => nowMs++
}

async function script(text: string, nowMs: (() => number) | null = noTime): Promise<Sandbox> {
  const loaded = await openSandbox(text, nowMs)
  onTestFinished(() => loaded.close())
  return loaded
}

test.each([
  'export function route(request, endpoints) { return endpoints.slice(0, 1) }',
  'const one = 1\nexport const route = (request, endpoints) => endpoints.slice(0, one)',
  'const route = (request, endpoints) => endpoints.slice(0, 1)',
  '/*\nexport nothing\n*/\nfunction route(request, endpoints) { return endpoints.slice(0, 1) }',
])('route is found where it is exported as where it is declared: %s', async (text) => {
  const loaded = await script(text)
  expect(loaded.choose(request, endpoints)).toEqual({ kind: 'endpoints', names: ['gaming'] })
})

test('a script filters by backend and memory, as the desk wants', async () => {
  const desk = await script(`
    const GiB = 1024 ** 3
    function route(request, endpoints) {
      if (request.parameterCount > 40e9) return endpoints.filter((e) => e.vramBytes >= 40 * GiB)
      return endpoints.filter((e) => e.backend === 'metal')
    }`)
  expect(desk.choose(request, endpoints)).toEqual({ kind: 'endpoints', names: ['rack', 'studio'] })
  expect(desk.choose({ ...request, parameterCount: 8e9 }, endpoints)).toEqual({
    kind: 'endpoints',
    names: ['studio'],
  })
})

test('a script may answer with names, in the order that it prefers, and with none', async () => {
  const named = await script(`const route = () => ['studio', 'rack', 'studio']`)
  expect(named.choose(request, endpoints)).toEqual({ kind: 'endpoints', names: ['studio', 'rack'] })
  const none = await script(`function route() { return [] }`)
  expect(none.choose(request, endpoints)).toEqual({ kind: 'endpoints', names: [] })
})

test('a script that never ends is cut off, and the next request is answered again', async () => {
  const loops = await script(
    `
    function route(request, endpoints) {
      if (request.key === 'loop') for (;;) {}
      return endpoints
    }`,
    passingTime(),
  )
  expect(loops.choose({ ...request, key: 'loop' }, endpoints)).toEqual({
    kind: 'failed',
    why: 'it ran longer than 5 ms',
  })
  expect(loops.choose(request, endpoints).kind).toBe('endpoints')
})

test('a script that takes all memory fails, and takes none of ours', async () => {
  const greedy = await script(`function route() { let all = 'x'; for (;;) all += all }`)
  const { kind } = greedy.choose(request, endpoints)
  expect(kind).toBe('failed')
  const lists = await script(`function route() { return new Array(1e9).fill(0) }`)
  expect(lists.choose(request, endpoints)).toEqual({
    kind: 'failed',
    why: 'it took more than 8 MiB of memory (line 1)',
  })
})

test('a deep recursion fails and does not take the gateway along', async () => {
  const deep = await script(`function route(r, e) { return route(r, e) }`)
  expect(deep.choose(request, endpoints)).toMatchObject({ kind: 'failed' })
})

test.each([
  { text: `function route() { return 'rack' }`, why: 'route() returned no list of endpoints' },
  { text: `function route() { return ['moon'] }`, why: 'returned "moon"' },
  { text: `function route() { return [null] }`, why: 'returned null' },
  {
    text: `function route() {\n  return nothing\n}`,
    why: "it threw ReferenceError: 'nothing' is not defined (line 2)",
  },
  { text: `function route() { throw 'so' }`, why: 'it threw so' },
])('$why', async ({ text, why }) => {
  const bad = await script(text)
  expect(bad.choose(request, endpoints)).toEqual({
    kind: 'failed',
    why: expect.stringContaining(why),
  })
})

test('a script reaches no file, no network, no timer and nothing of Node', async () => {
  const curious = await script(`
    function route(request, endpoints) {
      const there = ['process', 'require', 'fetch', 'setTimeout', 'WebAssembly', 'Deno', 'std', 'os']
        .filter((name) => name in globalThis)
      if (there.length > 0) throw new Error(there.join(', '))
      return endpoints
    }`)
  expect(curious.choose(request, endpoints).kind).toBe('endpoints')
})

test('what a script does to what it was given changes nothing outside', async () => {
  const rude = await script(`
    function route(request, endpoints) { endpoints[0].weight = 99; return endpoints.splice(0, 1) }`)
  expect(rude.choose(request, endpoints)).toEqual({ kind: 'endpoints', names: ['gaming'] })
  expect(endpoints.map(({ weight }) => weight)).toEqual([1, 1, 1])
})

test.each([
  { text: 'function route( {', why: 'SyntaxError' },
  { text: 'const other = 1', why: 'it has no function route(request, endpoints)' },
  { text: 'export const other = 1', why: 'it has no function route(request, endpoints)' },
  {
    text: 'await new Promise(() => {})\nexport function route() {}',
    why: 'it has no function route(request, endpoints)',
  },
  { text: 'for (;;) {}', why: 'it ran longer than 1000 ms' },
  { text: 'for (;;) {}\nexport function route() {}', why: 'it ran longer than 1000 ms' },
  { text: 'export async function route() { return [] }', why: 'it has to answer at once' },
  { text: 'const route = async () => []', why: 'it has to answer at once' },
  { text: 'function* route() {}', why: 'it has to answer at once' },
])('"$text" is no script: $why', async ({ text, why }) => {
  await expect(openSandbox(text, passingTime())).rejects.toThrow(SandboxError)
  await expect(openSandbox(text, passingTime())).rejects.toThrow(why)
})

test.each([
  {
    thrown: '{ message: { toString: 1, valueOf: 1 } }',
    why: 'it threw an object without a message',
  },
  { thrown: 'Promise.resolve(1)', why: /./ },
  { thrown: 'Symbol("x")', why: 'Symbol(x)' },
  { thrown: 'new Error("y".repeat(5_000))', why: /^it threw Error: y{200,300}$/ },
])('whatever is thrown is a reason in a line, and the next is answered: $thrown', async (of) => {
  const throws = await script(
    `function route({ key }, all) { if (key === 'odd') throw ${of.thrown}; return all }`,
  )
  const odd = throws.choose({ ...request, key: 'odd' }, endpoints)
  expect(odd).toMatchObject({ kind: 'failed' })
  if (odd.kind === 'failed') expect(odd.why).toMatch(of.why)
  expect(throws.choose(request, endpoints)).toMatchObject({ kind: 'endpoints' })
})

test('a long name that is none of the endpoints is told in short', async () => {
  const long = await script('const route = () => ["x".repeat(100_000)]')
  const verdict = long.choose(request, endpoints)
  expect(verdict.kind === 'failed' && verdict.why.length).toBeLessThan(400)
})

test('where no clock tells what was computed, a loop is cut off by its steps, and a short one is not', async () => {
  const some = await script(
    `const route = (request, all) => {
      if (request.key === 'loop') for (;;) {}
      for (let step = 0; step < 1000; step++) {}
      return all
    }`,
    null,
  )
  const all = [endpoint('one')]
  const asked = (key: string) => some.choose({ ...request, key }, all)
  expect(asked('app')).toEqual({ kind: 'endpoints', names: ['one'] })
  expect(asked('loop')).toEqual({ kind: 'failed', why: 'it ran longer than 5 ms' })
  expect(asked('app')).toEqual({ kind: 'endpoints', names: ['one'] })
})
