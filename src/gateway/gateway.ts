/** Starts and stops a gateway: the listening socket, what it shares, and the paths it answers. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { MotleyConfig } from '#core/config/document.ts'
import { MotleyError } from '#core/errors.ts'
import type { EndpointId } from '#core/ids.ts'
import { openAccessLog } from '#gateway/access-log.ts'
import { type AdminPages, serveAdmin } from '#gateway/admin-pages.ts'
import { apiOfPath, routesByPath } from '#gateway/api-table.ts'
import { asMotleyError, sendError } from '#gateway/client-error.ts'
import { allowedOrigin, corsHeaders, trustedHost } from '#gateway/cors.ts'
import { DecisionLog } from '#gateway/decision-log.ts'
import { type ConfigProblems, GatewayState } from '#gateway/gateway-state.ts'
import { GatewayMetrics } from '#gateway/metrics.ts'
import { serveApi } from '#gateway/pipeline.ts'
import type { ReplicaAlarms } from '#gateway/replica-alarms.ts'
import type { RouteScript } from '#gateway/script/route-script.ts'
import { type Listener, listen } from '#gateway/server.ts'
import { servePage } from '#gateway/site.ts'
import { noSleepers, type Sleepers } from '#gateway/sleepers.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'
import type { ModelDemand } from '#protocol/model-demand.ts'

export interface GatewayOptions {
  readonly config: MotleyConfig
  /** Where the gateway tells its operator something, a line at a time. */
  readonly log: (line: string) => void
  readonly version: string
  /** Told about an endpoint that a request found unreachable, so that it is checked at once. */
  readonly onSuspect?: (endpoint: EndpointId) => void
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs?: () => number
  /** A number in [0, 1) at each call. */
  readonly chance?: () => number
  /** Answers what of /admin/v1/ is not the gateway's own. */
  readonly admin?: AdminPages | undefined
  /** What is wrong with replicas of the fleet that run, asked at each look; left out: nothing is. */
  readonly replicaAlarms?: (() => readonly ReplicaAlarms[]) | undefined
  /** Fields of a request by which engines hold an answer to a form; left out: none is known. */
  readonly formFields?: readonly string[] | undefined
  /** Models that are woken by a request; left out: none is. */
  readonly sleepers?: Sleepers | undefined
}

export interface Gateway {
  readonly url: string
  /** News of an endpoint, from whoever watches it. */
  report(report: EndpointReport): void
  /** Takes a new configuration whole, or says why it cannot and changes nothing. */
  reload(config: MotleyConfig): ReloadOutcome
  /** That what was read again is not used, for whoever asks how it is; null once it is. */
  noteConfig(problems: ConfigProblems | null): void
  /** Asks this script from now on, or none; whoever gave it closes it, and the one before. */
  useScript(script: RouteScript | null): void
  /**
   * Is not ready any more and still takes requests for `gateway.lameDuckMs`. Then takes no new ones
   * and lets running ones finish, for `gateway.drainMs` at most; what runs then gets an error event.
   * Resolves when nothing runs any more.
   */
  drain(): Promise<void>
  /** Breaks what is still open. */
  close(): Promise<void>
  /** What a leak would show in. */
  readonly vitals: GatewayVitals
  /** Who asks for which model, now. */
  demand(): readonly ModelDemand[]
}

export interface GatewayVitals {
  readonly inFlight: number
  readonly queued: number
  readonly openConnections: number
  readonly inFlightByEndpoint: Readonly<Record<string, number>>
}

export type ReloadOutcome =
  | { readonly applied: true; readonly notes: readonly string[] }
  | { readonly applied: false; readonly reason: string }

/** Rejects with the system's error when the address cannot be had. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const accessLog = openAccessLog(
    options.config.gateway.accessLog,
    options.config.gateway.accessLogFormat,
  )
  const state = new GatewayState({
    config: options.config,
    version: options.version,
    nowMs: options.nowMs ?? (() => performance.now()),
    chance: options.chance ?? Math.random,
    metrics: new GatewayMetrics(),
    accessLog,
    decisions: new DecisionLog(),
    suspect: options.onSuspect ?? (() => {}),
    replicaAlarms: options.replicaAlarms ?? (() => []),
    formFields: options.formFields ?? [],
    sleepers: options.sleepers ?? noSleepers,
    log: options.log,
  })
  const { listen: address } = options.config.gateway
  const colon = address.lastIndexOf(':')
  let listener: Listener
  try {
    listener = await listen({
      host: address.slice(0, colon).replace(/^\[|\]$/g, ''),
      port: Number(address.slice(colon + 1)),
      halfClose: () => state.config.gateway.halfClose,
      handle: (request, response) => void handle(state, options.admin, request, response),
    })
  } catch (error) {
    await accessLog.close()
    await state.fleet.close()
    throw error
  }
  let lameDuck: Timeout | null = null
  return {
    url: listener.url,
    report: (report) => state.report(report),
    reload(config) {
      const notes: string[] = []
      const before = state.config.gateway
      if (config.gateway.listen !== before.listen) {
        return {
          applied: false,
          reason: `gateway.listen cannot change from ${before.listen} to ${config.gateway.listen} while running: restart for that`,
        }
      }
      const opened = (['accessLog', 'accessLogFormat'] as const).find(
        (name) => config.gateway[name] !== before[name],
      )
      if (opened !== undefined) {
        return {
          applied: false,
          reason: `gateway.${opened} cannot change while running: restart for that`,
        }
      }
      const known = new Set(state.fleet.endpoints.map(({ id }) => String(id)))
      state.configure(config)
      const now = new Set(state.fleet.endpoints.map(({ id }) => String(id)))
      for (const id of now) if (!known.has(id)) notes.push(`endpoint ${id} added`)
      for (const id of known)
        if (!now.has(id)) notes.push(`endpoint ${id} removed, its requests finish`)
      return { applied: true, notes }
    },
    demand: () => state.demand.demand(state.running, state.nowMs()),
    noteConfig: (problems) => state.noteConfig(problems),
    useScript(script) {
      state.useScript(script)
    },
    async drain() {
      state.stopping = true
      const { lameDuckMs } = state.config.gateway
      if (lameDuckMs > 0) {
        lameDuck = timeout(lameDuckMs)
        await lameDuck.passed
      }
      state.draining = true
      const closed = listener.stopAccepting()
      const limit = timeout(state.config.gateway.drainMs)
      await Promise.race([closed, limit.passed])
      limit.cancel()
      state.endAll()
      const grace = timeout(1_000)
      await Promise.race([closed, grace.passed])
      grace.cancel()
    },
    async close() {
      lameDuck?.cancel()
      state.endAll()
      const closed = listener.stopAccepting()
      listener.destroy()
      await Promise.all([closed, state.fleet.close()])
      await accessLog.close()
    },
    get vitals() {
      return {
        inFlight: state.running.size,
        queued: state.waiting,
        openConnections: listener.openConnections,
        inFlightByEndpoint: Object.fromEntries(
          [...state.fleet.endpoints, ...state.fleet.leaving].map(({ id, inFlight }) => [
            id,
            inFlight,
          ]),
        ),
      }
    },
  }
}

async function handle(
  state: GatewayState,
  admin: AdminPages | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = pathOf(request.url ?? '/')
  try {
    if (request.headers.host === undefined && request.httpVersionMinor > 0) {
      throw new MotleyError('malformed_http', 'The request has no Host header.')
    }
    const { origin } = request.headers
    if (origin !== undefined) {
      if (!allowedOrigin(origin, state.config.gateway, request.headers.host)) {
        throw new MotleyError(
          'origin_not_allowed',
          `Web pages of "${origin.slice(0, 200)}" may not use this gateway.`,
        )
      }
      const asked = request.headers['access-control-request-headers']
      for (const [name, value] of corsHeaders(origin, asked)) response.setHeader(name, value)
    }
    if (state.stopping) response.setHeader('connection', 'close')
    const route = routesByPath.get(path)
    if (route !== undefined && request.method === 'POST') {
      await serveApi(state, route, request, response)
      return
    }
    if (request.method === 'OPTIONS') {
      answerOptions(response, route !== undefined)
      return
    }
    if (route !== undefined) {
      throw new MotleyError('method_not_allowed', `${path} takes POST, not ${request.method}.`)
    }
    const { host } = request.headers
    if (!state.keys.required && !path.startsWith('/health') && host !== undefined) {
      if (!trustedHost(host, state.config.gateway)) {
        throw new MotleyError(
          'origin_not_allowed',
          `Without keys, pages are not shown under the name "${host.slice(0, 200)}".`,
        )
      }
    }
    if (await servePage(state, path, request, response)) return
    if (admin !== undefined && path.startsWith('/admin/v1/')) {
      if (await serveAdmin(state, admin, path, request, response)) return
    }
    throw new MotleyError(
      'not_found',
      `There is nothing at ${request.method} ${path.slice(0, 200)}.`,
    )
  } catch (error) {
    const told = asMotleyError(error)
    if (told.code === 'internal_error') state.reportBug(request.url ?? '', told.cause)
    sendError(response, apiOfPath(path), told, [
      ...(told.code === 'method_not_allowed' ? ['allow', 'POST, OPTIONS'] : []),
      ...(request.complete ? [] : ['connection', 'close']),
    ])
  }
}

/** The path of a target in origin form, or in the absolute form that clients of proxies send. */
function pathOf(target: string): string {
  const isAbsolute = !target.startsWith('/') && /^https?:\/\//i.test(target)
  const start = isAbsolute ? target.indexOf('/', target.indexOf('//') + 2) : 0
  if (start === -1) return '/'
  const question = target.indexOf('?', start)
  return target.slice(start, question === -1 ? undefined : question)
}

function answerOptions(response: ServerResponse, isApi: boolean): void {
  response.writeHead(204, { allow: isApi ? 'POST, OPTIONS' : 'GET, HEAD, OPTIONS' })
  response.end()
}

interface Timeout {
  /** Stays pending once it is cancelled. */
  readonly passed: Promise<void>
  cancel(): void
}

function timeout(afterMs: number): Timeout {
  let cancel = (): void => {}
  const passed = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, afterMs)
    cancel = () => clearTimeout(timer)
  })
  return { passed, cancel }
}
