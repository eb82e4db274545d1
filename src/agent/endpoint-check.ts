/**
 * One check of one endpoint: which engine is it, can it take requests, what does it serve, how
 * loaded is it. What must be remembered until the next check is a value that goes in and comes
 * out; pages and time are arguments.
 */
import type { PageFetcher, PageOutcome } from '#agent/page-fetcher.ts'
import type { EndpointConfig } from '#core/config/endpoints.ts'
import type { EndpointLoad } from '#core/endpoint.ts'
import type { EndpointId } from '#core/ids.ts'
import type { Engine, EngineAnswer, EngineIdentity, EngineModel } from '#engines/engine.ts'
import { identifyEngine } from '#engines/engine-identification.ts'
import { engines } from '#engines/index.ts'
import { openai } from '#engines/openai.ts'
import type { CheckStatus, EndpointReport, ReportedModel } from '#protocol/endpoint-report.ts'
import type { Clock } from '#std/clock.ts'

/**
 * How old what an endpoint said of itself and its models may be. People pull a model and look for
 * it within the minute; asking every second would be for nothing.
 */
const factsMsMax = 30_000

/** What one check leaves for the next. */
export interface CheckMemory {
  /** Null while no engine has known itself there. */
  readonly engine: Engine | null
  readonly identity: EngineIdentity | null
  /** Whether the last check found it ready. */
  readonly ready: boolean
  /** Whether it must be asked again which engine it is before its words are understood. */
  readonly uncertain: boolean
  /** When it last said what it is and serves. */
  readonly factsAtMs: number
  /** Whether it serves a model that we know of. */
  readonly modelsKnown: boolean
  /** Load pages that are not there, and when to look again. */
  readonly absentUntilMs: ReadonlyMap<string, number>
}

export function newMemory(config: EndpointConfig): CheckMemory {
  return {
    engine: engines.find(({ id }) => id === config.engine) ?? null,
    identity: null,
    ready: false,
    uncertain: false,
    factsAtMs: Number.NEGATIVE_INFINITY,
    modelsKnown: config.models !== undefined,
    absentUntilMs: new Map(),
  }
}

export interface CheckInput {
  readonly id: EndpointId
  readonly config: EndpointConfig
  readonly memory: CheckMemory
  readonly fetchPage: PageFetcher
  readonly clock: Clock
  readonly signal: AbortSignal
}

export interface CheckResult {
  readonly report: EndpointReport
  readonly memory: CheckMemory
}

/** Rejects only when `signal` says to stop. */
export async function checkEndpoint(input: CheckInput): Promise<CheckResult> {
  const { id, config, memory, clock } = input
  const pages = new Pages(input)
  const nowMs = clock.nowMs()

  let engine = memory.engine
  let identity = memory.identity
  let check: EndpointReport['check']
  try {
    if (config.engine === undefined && (engine === null || memory.uncertain)) {
      const found = await identifyEngine(inOrder(engine), (path) => pages.answer(path))
      engine = found?.engine ?? null
      identity = found?.identity ?? null
    }
    check = await checkHealth(config, engine ?? openai, pages)
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    check = error.check
  }

  const adapter = engine ?? openai
  const ready = check.verdict === 'ready'
  // Without health checks a page that says no is no reason not to ask what is served.
  const asks = check.code !== null && (ready || !config.health.enabled)
  const due = !memory.ready || !memory.modelsKnown || nowMs - memory.factsAtMs >= factsMsMax
  const facts = asks && due ? await readFacts(config, adapter, identity, pages) : null
  identity = facts?.identity ?? identity
  if (ready && !memory.modelsKnown && facts?.refusedList) {
    check = listRefused(check, facts.refusedList, config, adapter)
  }
  const models = facts?.models ?? null
  const { load, absentUntilMs } = ready
    ? await readLoad(adapter, identity, memory, nowMs, pages)
    : { load: null, absentUntilMs: new Map<string, number>() }
  return {
    report: {
      endpoint: id,
      atMs: clock.nowMs(),
      check,
      engine: engine?.id ?? null,
      engineVersion: identity?.version ?? null,
      models,
      tasks: engine?.tasks ?? null,
      load,
      supportsStreamUsage: adapter.supportsStreamUsage,
      continuation: adapter.continuation,
    },
    memory: {
      // An engine that no longer knows itself has been replaced: the next check asks all of them.
      engine: facts?.replaced === true ? null : engine,
      identity,
      ready,
      uncertain: isUncertain(check) || (memory.uncertain && check.code === null),
      factsAtMs: factsAtMs(facts, memory, nowMs),
      modelsKnown: models === null ? memory.modelsKnown : models.length > 0,
      absentUntilMs,
    },
  }
}

function factsAtMs(facts: Facts | null, memory: CheckMemory, nowMs: number): number {
  if (facts === null) return memory.factsAtMs
  return facts.replaced ? Number.NEGATIVE_INFINITY : nowMs
}

/**
 * Another engine may be on the port after no connection was possible, no HTTP came or the page is
 * gone; and while a model loads, several engines say so in the same words.
 */
function isUncertain({ status, verdict, code }: EndpointReport['check']): boolean {
  return status.startsWith('L4') || status === 'L7RSP' || verdict === 'loading' || code === 404
}

/** The engine it was last, before all others: most of the time it still is. */
function inOrder(last: Engine | null): readonly Engine[] {
  return last === null || last === openai ? engines : [last, ...engines]
}

async function checkHealth(
  config: EndpointConfig,
  engine: Engine,
  pages: Pages,
): Promise<EndpointReport['check']> {
  const path = config.health.path ?? engine.health.path
  const answer = await pages.answer(path)
  const ok = answer.status >= 200 && answer.status < 300
  let verdict = engine.health.read(answer)
  if (config.health.path !== undefined && verdict !== 'loading') {
    verdict = ok ? 'ready' : 'unhealthy'
  }
  return {
    status: verdict === 'ready' ? 'L7OK' : 'L7STS',
    verdict,
    code: answer.status,
    durationMs: await pages.durationMs(path),
    detail: describe(verdict, { path, answer, engine, hasKey: config.apiKey !== undefined }),
  }
}

/** It is well, but nothing can be sent to it: who looks for the reason looks at its check. */
function listRefused(
  check: EndpointReport['check'],
  answer: EngineAnswer,
  config: EndpointConfig,
  engine: Engine,
): EndpointReport['check'] {
  const { path } = engine.models
  const hasKey = config.apiKey !== undefined
  return {
    ...check,
    status: 'L7STS',
    verdict: 'unhealthy',
    code: answer.status,
    detail: describe('unhealthy', { path, answer, engine, hasKey }),
  }
}

interface Told {
  readonly path: string
  readonly answer: EngineAnswer
  readonly engine: Engine
  /** Whether the configuration gives it an `apiKey`. */
  readonly hasKey: boolean
}

function describe(
  verdict: 'ready' | 'loading' | 'unhealthy',
  { path, answer: { status }, engine, hasKey }: Told,
): string | null {
  if (verdict === 'ready') return null
  if (verdict === 'loading') return 'it is loading its model'
  // A user's path may carry a secret in its query.
  const said = `${path.replace(/[?#].*/s, '')} answered ${status}`
  if (status === 401 || status === 403) {
    return hasKey ? `${said}: it refuses its apiKey` : `${said}: it wants a key, set apiKey`
  }
  if (status >= 300 && status < 400) return `${said}: redirects are not followed`
  return status === 200 ? `${said}, but not as ${engine.title} does` : said
}

interface Facts {
  readonly identity: EngineIdentity | null
  /** Another engine than the last time answers there. */
  readonly replaced: boolean
  readonly models: readonly ReportedModel[] | null
  /** Its list of models, where it refused to show it and nobody else has told them. */
  readonly refusedList: EngineAnswer | null
}

async function readFacts(
  config: EndpointConfig,
  engine: Engine,
  identity: EngineIdentity | null,
  pages: Pages,
): Promise<Facts> {
  const self = await pages.answerIfAny(engine.identify.path)
  const now = self === null ? identity : engine.identify.read(self)
  const facts = {
    identity: now ?? identity,
    replaced: config.engine === undefined && now === null,
    refusedList: null,
  }
  const ownContext = facts.identity?.contextTokens ?? null
  const given = config.models === undefined ? null : servedNames(config.models)
  // Whoever started a replica has said it.
  if (given !== null && config.contextTokens !== undefined) return { ...facts, models: null }
  if (given !== null && ownContext !== null) {
    return { ...facts, models: given.map((name) => modelNamed(name, ownContext)) }
  }
  const list = await pages.answerIfAny(engine.models.path)
  const models = list === null ? null : engine.models.read(list)
  if (given !== null) return { ...facts, models: models === null ? null : known(given, models) }
  return {
    ...facts,
    refusedList: list !== null && list.status >= 400 ? list : null,
    models:
      models?.map((model) => ({ ...model, contextTokens: model.contextTokens ?? ownContext })) ??
      null,
  }
}

/**
 * Of models that the user gave only their contexts are news. An engine that lists one model answers
 * with it, whatever the user calls it.
 */
function known(given: readonly string[], models: readonly EngineModel[]): ReportedModel[] | null {
  const sole = models.length === 1 ? models[0] : undefined
  const found = given.flatMap((name) => {
    const model = models.find(({ servedName }) => servedName === name) ?? sole
    return model?.contextTokens == null ? [] : [modelNamed(name, model.contextTokens)]
  })
  return found.length === 0 ? null : found
}

function modelNamed(servedName: string, contextTokens: number): ReportedModel {
  return { servedName, contextTokens, tasks: null }
}

function servedNames(models: NonNullable<EndpointConfig['models']>): readonly string[] {
  return Array.isArray(models) ? models : Object.values(models)
}

async function readLoad(
  engine: Engine,
  identity: EngineIdentity | null,
  memory: CheckMemory,
  nowMs: number,
  pages: Pages,
): Promise<{
  readonly load: EndpointLoad | null
  readonly absentUntilMs: ReadonlyMap<string, number>
}> {
  const absentUntilMs = new Map(memory.absentUntilMs)
  let load: EndpointLoad | null = null
  for (const page of engine.loadPages) {
    if (nowMs < (absentUntilMs.get(page.path) ?? 0)) continue
    const answer = await pages.answerIfAny(page.path)
    if (answer === null) continue
    const read = page.read(answer)
    if (read === null) absentUntilMs.set(page.path, nowMs + factsMsMax)
    else load = load === null ? read : merged(load, read)
    if (load !== null && load.runningRequests !== null && load.waitingRequests !== null) break
  }
  const { slots = null, kvTokens = null } = identity ?? {}
  if (slots === null && kvTokens === null) return { load, absentUntilMs }
  return { load: merged(load ?? nothingSaid, { ...nothingSaid, slots, kvTokens }), absentUntilMs }
}

const nothingSaid: EndpointLoad = {
  runningRequests: null,
  waitingRequests: null,
  kvCacheUsageRatio: null,
  slots: null,
  kvTokens: null,
}

function merged(first: EndpointLoad, second: EndpointLoad): EndpointLoad {
  return {
    runningRequests: first.runningRequests ?? second.runningRequests,
    waitingRequests: first.waitingRequests ?? second.waitingRequests,
    kvCacheUsageRatio: first.kvCacheUsageRatio ?? second.kvCacheUsageRatio,
    slots: first.slots ?? second.slots,
    kvTokens: first.kvTokens ?? second.kvTokens,
  }
}

/** The pages of one check. Each is fetched once, however many readers want it. */
class Pages {
  readonly #input: CheckInput
  readonly #fetched = new Map<string, Promise<{ outcome: PageOutcome; durationMs: number }>>()

  #silent = false

  constructor(input: CheckInput) {
    this.#input = input
  }

  /** Rejects with {@link NoAnswer} when there is none: then the check is over. */
  async answer(path: string): Promise<EngineAnswer> {
    const { outcome, durationMs } = await this.#fetch(path)
    if (outcome.kind !== 'answer') throw new NoAnswer(outcome, durationMs)
    return outcome.answer
  }

  /**
   * Returns null when there is none, and from then on: waiting for one page after the other of an
   * endpoint that has just died would keep the next check from saying so.
   */
  async answerIfAny(path: string): Promise<EngineAnswer | null> {
    if (this.#silent) return null
    const { outcome } = await this.#fetch(path)
    if (outcome.kind === 'answer') return outcome.answer
    this.#silent = true
    return null
  }

  async durationMs(path: string): Promise<number> {
    return (await this.#fetch(path)).durationMs
  }

  #fetch(path: string): Promise<{ outcome: PageOutcome; durationMs: number }> {
    let fetched = this.#fetched.get(path)
    if (fetched === undefined) {
      fetched = this.#fetchNow(path)
      this.#fetched.set(path, fetched)
    }
    return fetched
  }

  async #fetchNow(path: string): Promise<{ outcome: PageOutcome; durationMs: number }> {
    const { config, fetchPage, clock, signal } = this.#input
    const startMs = clock.nowMs()
    const outcome = await fetchPage({
      url: config.url,
      path,
      apiKey: config.apiKey,
      peer: config.peer,
      timeoutMs: config.health.timeoutMs,
      signal,
    })
    signal.throwIfAborted()
    return { outcome, durationMs: clock.nowMs() - startMs }
  }
}

type Failure = Exclude<PageOutcome, { readonly kind: 'answer' }>

const failures: Record<
  Failure['kind'],
  { readonly status: CheckStatus; readonly verdict: 'refused' | 'silent' | 'unhealthy' }
> = {
  refused: { status: 'L4CON', verdict: 'refused' },
  'connect-timeout': { status: 'L4TOUT', verdict: 'silent' },
  'answer-timeout': { status: 'L7TOUT', verdict: 'silent' },
  malformed: { status: 'L7RSP', verdict: 'unhealthy' },
}

class NoAnswer extends Error {
  readonly check: EndpointReport['check']
  constructor({ kind, detail }: Failure, durationMs: number) {
    super(detail)
    this.check = { ...failures[kind], code: null, durationMs, detail }
  }
}
