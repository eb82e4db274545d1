/** Every path of the gateway that is no API call: health, metrics, stats, models, admin. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { MotleyError } from '#core/errors.ts'
import { modelName } from '#core/ids.ts'
import { sendError } from '#gateway/client-error.ts'
import { recordsKept } from '#gateway/decision-log.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { type ApiKey, mayUse } from '#gateway/key-ring.ts'
import { decisionPage, decisionRow } from '#gateway/pages/decisions.ts'
import { endpointRows } from '#gateway/pages/endpoint-rows.ts'
import { healthPage, isReady } from '#gateway/pages/health.ts'
import { modelList, modelPage, ollamaTags } from '#gateway/pages/models.ts'
import { runningPage, runningRows } from '#gateway/pages/running.ts'
import { statsCsv } from '#gateway/pages/stats-csv.ts'
import { statsHtml } from '#gateway/pages/stats-html.ts'
import { presentedKey } from '#gateway/stages/authenticate.ts'

interface Page {
  /** `open` to all, `key` for whoever may use the API, `admin` for operators. */
  readonly access: 'open' | 'key' | 'admin'
  /** `key` is null where there are none, and where an open page is asked without a known one. */
  answer(state: GatewayState, key: ApiKey | null, query: URLSearchParams): Answer | Promise<Answer>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

const json = (status: number, body: unknown): Answer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(body),
})

const pages: Readonly<Record<string, Page>> = {
  '/health': { access: 'open', answer: (state, key) => healthAnswer(state, key) },
  '/health/live': { access: 'open', answer: () => json(200, { status: 'alive' }) },
  '/health/ready': {
    access: 'open',
    answer: (state) =>
      isReady(state)
        ? json(200, { status: 'ready' })
        : json(503, { status: state.stopping ? 'draining' : 'not ready' }),
  },
  '/v1/models': { access: 'key', answer: (state, key) => json(200, modelList(state, key)) },
  '/models': { access: 'key', answer: (state, key) => json(200, modelList(state, key)) },
  '/api/tags': { access: 'key', answer: (state, key) => json(200, ollamaTags(state, key)) },
  '/metrics': {
    access: 'admin',
    answer: async (state) => {
      state.tick()
      return {
        status: 200,
        type: state.metrics.registry.contentType,
        body: await state.metrics.page({
          endpoints: state.fleet.endpoints,
          waitingRequests: state.waiting,
          logLinesDropped: state.accessLog.dropped,
          replicaAlarms: state.replicaAlarms(),
        }),
      }
    },
  },
  '/stats': {
    access: 'admin',
    answer: (state) => ({ status: 200, type: 'text/html; charset=utf-8', body: statsHtml(state) }),
  },
  '/stats;csv': {
    access: 'admin',
    answer: (state) => ({ status: 200, type: 'text/csv; charset=utf-8', body: statsCsv(state) }),
  },
  '/admin/v1/endpoints': {
    access: 'admin',
    answer: (state) => json(200, endpointRows(state)),
  },
  '/admin/v1/decisions': {
    access: 'admin',
    answer: (state, _key, query) => {
      const limit = limitOf(query)
      const decisions = state.decisions.newest(limit).map(decisionRow)
      return json(200, { running: runningRows(state, limit), decisions })
    },
  },
  '/': { access: 'open', answer: (state) => json(200, home(state)) },
  // Where people look first whose client wants a base URL.
  '/v1': { access: 'open', answer: (state) => json(200, home(state)) },
}

function home({ version }: GatewayState) {
  return {
    name: 'motley',
    version,
    api: '/v1',
    models: '/v1/models',
    health: '/health',
    stats: '/stats',
  }
}

const decisionsPath = '/admin/v1/decisions/'
const modelPath = '/v1/models/'

/** The page at this path, or null when there is none. */
function pageAt(path: string): Page | null {
  if (Object.hasOwn(pages, path)) return pages[path] ?? null
  if (path.startsWith(decisionsPath)) {
    return {
      access: 'admin',
      answer: (state) => {
        const id = decoded(path.slice(decisionsPath.length))
        const running = runningPage(state, id)
        if (running !== null) return json(200, running)
        const record = state.decisions.get(id)
        if (record === null) {
          throw new MotleyError(
            'not_found',
            `No decision is kept for the request "${id.slice(0, 100)}"; only the last ${recordsKept} requests are.`,
          )
        }
        return json(200, decisionPage(record))
      },
    }
  }
  if (path.startsWith(modelPath)) {
    return {
      access: 'key',
      answer: (state, key) => {
        const name = decoded(path.slice(modelPath.length))
        const model = state.fleet.resolve(name)
        const page =
          mayUse(key, model) || mayUse(key, name) ? modelPage(state, modelName(model)) : null
        if (page === null) {
          throw new MotleyError('model_not_found', `No endpoint serves "${name.slice(0, 200)}".`)
        }
        return json(200, page)
      },
    }
  }
  return null
}

/** Answers a GET or HEAD, or says why not. Returns false when there is no such path. */
export async function servePage(
  state: GatewayState,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const page = pageAt(path)
  if (page === null) return false
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    sendError(
      response,
      null,
      new MotleyError('method_not_allowed', `${path} takes GET, not ${request.method}.`),
      ['allow', 'GET, HEAD'],
    )
    return true
  }
  const presented = presentedKey(request.headers)
  const isOpen = page.access === 'open'
  const key = isOpen ? state.keys.find(presented) : state.keys.authenticate(presented)
  if (page.access === 'admin' && key !== null && !key.admin) {
    throw new MotleyError(
      'admin_only',
      `The key "${key.name}" may not read ${path}: it has no "admin: true".`,
    )
  }
  const { status, type, body } = await page.answer(state, key, queryOf(request.url ?? ''))
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  })
  response.end(request.method === 'HEAD' ? undefined : body)
  return true
}

function queryOf(target: string): URLSearchParams {
  const question = target.indexOf('?')
  return new URLSearchParams(question === -1 ? '' : target.slice(question))
}

/** A screen of them, where nobody says how many. */
const decisionsShown = 20

function limitOf(query: URLSearchParams): number {
  const limit = query.get('limit') ?? String(decisionsShown)
  if (/^\d{1,4}$/.test(limit) && Number(limit) >= 1 && Number(limit) <= recordsKept) {
    return Number(limit)
  }
  throw new MotleyError(
    'invalid_request',
    `limit is "${limit.slice(0, 100)}"; allowed: a whole number from 1 to ${recordsKept}.`,
  )
}

/** Which models there are and where is for operators, as soon as anybody else may come. */
function healthAnswer(state: GatewayState, key: ApiKey | null): Answer {
  const page = healthPage(state)
  const { healthy_count, unhealthy_count } = page
  const isForOperators = !state.keys.required || key?.admin === true
  return json(
    healthy_count > 0 ? 200 : 503,
    isForOperators ? page : { healthy_count, unhealthy_count },
  )
}

/** A name in a path; one that is not well-formed stands for itself, and is then not found. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
