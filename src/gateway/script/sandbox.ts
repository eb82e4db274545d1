/**
 * The user's `route(request, endpoints)` in a sandbox: QuickJS in WebAssembly, without files,
 * network, timers or a clock to wait on. It gets copies and gives names back, so that nothing it does
 * reaches the gateway; what computes too long or takes too much memory is cut off. How long is told
 * by the processor's time, and where Node has no clock of that, by QuickJS's own steps: a script that
 * waits for a core on a busy machine is not slow. QuickJS looks only between its steps, and one of
 * them can be long: the thread around this sandbox is what bounds it, by the wall, as the last resort.
 */
import * as variant from '@jitl/quickjs-wasmfile-release-sync'
import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core'
import { scriptLimits } from '#gateway/script/script-limits.ts'
import type { ScriptEndpoint, ScriptRequest, ScriptVerdict } from '#gateway/script/script-wire.ts'
import { parseJson } from '#std/parse-json.ts'

const { computingMsMax, memoryBytesMax, stackBytesMax } = scriptLimits

/**
 * Without a clock of the processor's time: QuickJS asks every 10,000 steps, which take it a quarter
 * of a millisecond or so, more on slow machines.
 */
const interruptsMax = 20

/** The file could not be used at all: says what is wrong in it, and where. */
export class SandboxError extends Error {}

/** Rejects with {@link SandboxError} when the text is no script or has no function `route`. */
export async function openSandbox(
  text: string,
  /** What this thread has computed; null where nobody can tell. */
  computedMs: (() => number) | null,
): Promise<Sandbox> {
  const quickJs = await newQuickJSWASMModuleFromVariant(
    variant.default as unknown as QuickJSSyncVariant,
  )
  const sandbox = new Sandbox(quickJs.newRuntime(), computedMs)
  try {
    sandbox.define(text)
  } catch (error) {
    sandbox.close()
    throw error
  }
  return sandbox
}

export class Sandbox {
  readonly #runtime: QuickJSRuntime
  readonly #context: QuickJSContext
  readonly #computedMs: (() => number) | null
  #route: QuickJSHandle | null = null
  #untilMs = 0
  #interruptsLeft = 0

  constructor(runtime: QuickJSRuntime, computedMs: (() => number) | null) {
    this.#runtime = runtime
    this.#computedMs = computedMs
    runtime.setMemoryLimit(memoryBytesMax)
    runtime.setMaxStackSize(stackBytesMax)
    runtime.setInterruptHandler(() => {
      this.#interruptsLeft--
      return this.#isOver
    })
    this.#context = runtime.newContext()
  }

  /** @throws {SandboxError} */
  define(text: string): void {
    const context = this.#context
    this.#allow(scriptLimits.loadingMsMax)
    const route = this.#declared(text) ?? this.#exported(text)
    if (context.typeof(route) !== 'function') {
      route.dispose()
      throw new SandboxError('it has no function route(request, endpoints) that returns endpoints')
    }
    const wrapping = context.unwrapResult(context.evalCode(wrapper))
    const ran = context.callFunction(wrapping, context.undefined, route)
    wrapping.dispose()
    route.dispose()
    const wrapped = this.#valueOf(ran)
    if (context.typeof(wrapped) !== 'function') {
      wrapped.dispose()
      throw new SandboxError(
        'its function route is async or a generator, which returns no endpoints: it has to answer at once',
      )
    }
    this.#route = wrapped
  }

  /** Null for what can only be a module: a plain script may not export. */
  #declared(text: string): QuickJSHandle | null {
    const ran = this.#context.evalCode(text, 'routing.js', { type: 'global' })
    if (ran.error && mayExport.test(text)) {
      ran.error.dispose()
      return null
    }
    this.#valueOf(ran).dispose()
    // What `const` declares is no property of the global object.
    return this.#valueOf(
      this.#context.evalCode("typeof route === 'undefined' ? undefined : route", 'routing.js'),
    )
  }

  #exported(text: string): QuickJSHandle {
    const exports = this.#valueOf(this.#context.evalCode(text, 'routing.js', { type: 'module' }))
    const route = this.#context.getProp(exports, 'route')
    exports.dispose()
    return route
  }

  #valueOf(ran: ReturnType<QuickJSContext['evalCode']>): QuickJSHandle {
    if (ran.error) {
      const late = this.#isOver
      const thrown = this.#errorText(ran.error)
      throw new SandboxError(limitText(thrown, late, scriptLimits.loadingMsMax) ?? thrown)
    }
    return ran.value
  }

  /** Never throws: what went wrong is an answer. */
  choose(request: ScriptRequest, endpoints: readonly ScriptEndpoint[]): ScriptVerdict {
    const context = this.#context
    if (this.#route === null) return { kind: 'failed', why: 'it is closed' }
    const given = context.newString(JSON.stringify([request, endpoints]))
    this.#allow(computingMsMax)
    const answered = context.callFunction(this.#route, context.undefined, given)
    given.dispose()
    if (answered.error) {
      const late = this.#isOver
      const thrown = this.#errorText(answered.error)
      const why = limitText(thrown, late, computingMsMax) ?? `it threw ${thrown}`
      return { kind: 'failed', why }
    }
    const answer = context.getString(answered.value)
    answered.value.dispose()
    return verdictOf(answer, endpoints)
  }

  close(): void {
    this.#route?.dispose()
    this.#route = null
    this.#context.dispose()
    this.#runtime.dispose()
  }

  #allow(ms: number): void {
    this.#untilMs = (this.#computedMs?.() ?? 0) + ms
    this.#interruptsLeft = interruptsMax * (ms / computingMsMax)
  }

  get #isOver(): boolean {
    return this.#computedMs === null ? this.#interruptsLeft < 0 : this.#computedMs() > this.#untilMs
  }

  /** Anything can be thrown, also what has no text or breaks while it is looked at. */
  #errorText(handle: QuickJSHandle): string {
    try {
      return thrownText(this.#context.dump(handle))
    } catch {
      return 'something that cannot be shown'
    } finally {
      // Of a promise, looking at it has given the handle up already.
      if (handle.alive) handle.dispose()
    }
  }
}

/** The limit that ended a run: the sandbox ends it with errors of QuickJS. Null: the script itself. */
function limitText(thrown: string, late: boolean, msMax: number): string | null {
  if (late && /interrupted/.test(thrown)) return `it ran longer than ${msMax} ms`
  const line = / \(line \d+\)$/.exec(thrown)?.[0] ?? ''
  if (thrown.startsWith('InternalError: out of memory')) {
    return `it took more than ${memoryBytesMax / bytesPerMiB} MiB of memory${line}`
  }
  return null
}

const bytesPerMiB = 1024 * 1024

/** A reason stands in a line of a log and in records of decisions. */
const whyLettersMax = 300

function thrownText(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error).slice(0, whyLettersMax)
  const { name, message, stack } = error as Record<string, unknown>
  if (typeof message !== 'string') return 'an object without a message'
  const line = /routing\.js:(\d+)/.exec(String(stack ?? ''))?.[1]
  const where = line === undefined ? '' : ` (line ${line})`
  return `${typeof name === 'string' ? name : 'Error'}: ${message}${where}`.slice(0, whyLettersMax)
}

/** Comments and texts may have the word at the beginning of a line, too. */
const mayExport = /^\s*export\b/m

/** Text crosses the border of the sandbox once each way: cheaper than one handle for each field. */
const wrapper = `(function (route) {
  if (Object.prototype.toString.call(route) !== '[object Function]') return null
  return function (given) {
    const [request, endpoints] = JSON.parse(given)
    const chosen = route(request, endpoints)
    if (!Array.isArray(chosen)) return JSON.stringify(null)
    return JSON.stringify(chosen.map((one) => (typeof one === 'string' ? one : one?.name ?? null)))
  }
})`

function verdictOf(answer: string, endpoints: readonly ScriptEndpoint[]): ScriptVerdict {
  const names = parseJson(answer)
  if (!Array.isArray(names)) {
    return { kind: 'failed', why: 'route() returned no list of endpoints' }
  }
  const unknown = names.find((name) => !endpoints.some((endpoint) => endpoint.name === name))
  if (unknown !== undefined) {
    const shown = JSON.stringify(unknown).slice(0, whyLettersMax)
    return { kind: 'failed', why: `route() returned ${shown}, which is none of the endpoints` }
  }
  return { kind: 'endpoints', names: [...new Set(names as string[])] }
}
