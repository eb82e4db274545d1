import { expect, onTestFinished, test } from 'vitest'
import { RouteScriptError, startRouteScript } from '#gateway/script/route-script.ts'
import type { ScriptEndpoint, ScriptRequest } from '#gateway/script/script-wire.ts'
import { systemClock } from '#std/clock.ts'

const request: ScriptRequest = {
  model: 'm',
  task: 'chat',
  key: null,
  promptTokens: 10,
  maxTokens: null,
  stream: false,
  parameterCount: null,
}

const endpoints: readonly ScriptEndpoint[] = ['one', 'two'].map((name) => ({
  name,
  state: 'ready',
  engine: null,
  backend: null,
  vramBytes: null,
  node: null,
  labels: {},
  weight: 1,
  inFlight: 0,
  ttftMs: null,
}))

async function script(text: string) {
  const started = await startRouteScript(text, systemClock)
  onTestFinished(() => started.close())
  return started
}

test('requests are answered in turn, on a thread of the script', async () => {
  const some = await script('const route = (request, all) => all.slice(request.promptTokens)')
  const answers = [0, 1, 2].map((promptTokens) =>
    some.choose({ ...request, promptTokens }, endpoints),
  )
  await expect(Promise.all(answers)).resolves.toEqual([
    { kind: 'endpoints', names: ['one', 'two'] },
    { kind: 'endpoints', names: ['two'] },
    { kind: 'endpoints', names: [] },
  ])
})

// QuickJS looks at the time every ten thousand steps of its own, and each of these is a long one.
test('a run that hangs in long steps is ended with its thread, and the next is answered', async () => {
  const hangs = await script(`
    function route(request, all) {
      if (request.key === 'hang') for (const all = []; ; ) all.push(new Array(1e5).fill(7))
      return all
    }`)
  const first = hangs.choose({ ...request, key: 'hang' }, endpoints)
  const second = hangs.choose(request, endpoints)
  await expect(first).resolves.toMatchObject({ kind: 'failed' })
  await expect(second).resolves.toEqual({ kind: 'endpoints', names: ['one', 'two'] })
})

test('a script that is closed says so to whoever waits', async () => {
  const some = await script('const route = (request, all) => all')
  const waiting = some.choose(request, endpoints)
  await some.close()
  await expect(waiting).resolves.toEqual({ kind: 'failed', why: 'it is closed' })
  await expect(some.choose(request, endpoints)).resolves.toEqual({
    kind: 'failed',
    why: 'it is closed',
  })
})

test('a file that is no script is refused with the line', async () => {
  await expect(startRouteScript('const a = 1\nfunction route( {', systemClock)).rejects.toThrow(
    RouteScriptError,
  )
})
