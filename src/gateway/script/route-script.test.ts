import { describe, expect, onTestFinished, test } from 'vitest'
import { RouteScriptError, startRouteScript } from '#gateway/script/route-script.ts'
import type { ScriptEndpoint, ScriptRequest } from '#gateway/script/script-wire.ts'
import { systemClock } from '#std/clock.ts'
import { HeldClock } from '#testing/held-clock.ts'

const request: ScriptRequest = {
  model: 'm',
  task: 'chat',
  key: null,
  promptTokens: 10,
  maxTokens: null,
  stream: false,
  parameterCount: null,
}

const endpoints = ['one', 'two'].map(
  (name): ScriptEndpoint => ({
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
  }),
)

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

test('one that another takes over from answers who waits, and takes nothing new', async () => {
  const some = await script('const route = (request, all) => all.slice(1)')
  const waiting = [some.choose(request, endpoints), some.choose(request, endpoints)]
  const retired = some.retire()
  const late = some.choose(request, endpoints)
  const answered = { kind: 'endpoints', names: ['two'] }
  await expect(Promise.all(waiting)).resolves.toEqual([answered, answered])
  await expect(late).resolves.toEqual({ kind: 'failed', why: 'it is closed' })
  await retired
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

describe('a thread that ends while it is asked', () => {
  /** JSON has none of these, so that the sandbox ends with an error of its own. */
  const odd = { ...request, promptTokens: 1n } as unknown as ScriptRequest
  const asIs = 'const route = (request, all) => all'

  /** With time that stands still, however busy the machine is. */
  async function untimed(text: string) {
    const started = await startRouteScript(text, new HeldClock())
    onTestFinished(() => started.close())
    return started
  }

  test('costs that request alone', async () => {
    const some = await untimed(asIs)
    for (let turn = 0; turn < 2; turn += 1) {
      const broken = some.choose(odd, endpoints)
      const others = [request, request].map((one) => some.choose(one, endpoints))
      await expect(broken).resolves.toMatchObject({
        kind: 'failed',
        why: expect.stringContaining('its thread ended'),
      })
      for (const other of others) {
        await expect(other).resolves.toEqual({ kind: 'endpoints', names: ['one', 'two'] })
      }
    }
  })

  test('for the third time in a row is the last, and that is said at once', async () => {
    const some = await untimed(asIs)
    for (let turn = 0; turn < 3; turn += 1) await some.choose(odd, endpoints)
    await expect(some.choose(request, endpoints)).resolves.toEqual({
      kind: 'failed',
      why: 'it hung or broke its thread 3 times in a row, and is left out until a reload',
    })
  })
})
