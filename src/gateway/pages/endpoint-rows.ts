/** The endpoints as `motley status` and scripts read them. */
import { effectiveWeight } from '#core/endpoint.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { withoutCredentials } from '#gateway/pages/health.ts'

export function endpointRows(state: GatewayState) {
  const nowMs = state.tick()
  const alarms = new Map(state.replicaAlarms().map((one) => [one.replica, one.alarms]))
  return {
    gateway: {
      version: state.version,
      uptimeSeconds: Math.round((nowMs - state.startedMs) / 1000),
      strategy: state.config.routing.strategy,
      draining: state.stopping,
      inFlight: state.running.size,
      queued: state.waiting,
      routingScript: scriptRow(state, nowMs),
      configuration: configurationRow(state, nowMs),
    },
    endpoints: [...state.fleet.endpoints, ...state.fleet.leaving].map((endpoint) => ({
      name: endpoint.id,
      url: withoutCredentials(endpoint.config.url),
      engine: endpoint.engine,
      engineVersion: endpoint.engineVersion,
      state: endpoint.state,
      reason: endpoint.reason,
      sinceMs: Math.round(nowMs - endpoint.stateSinceMs),
      models: [...(endpoint.models?.keys() ?? [])],
      labels: endpoint.labels,
      weight: endpoint.weight,
      effectiveWeight: Math.round(effectiveWeight(endpoint) * 1000) / 1000,
      inFlight: endpoint.inFlight,
      inFlightMax: endpoint.stats.inFlightMax,
      maxInFlight: endpoint.maxInFlight,
      ttftMs: endpoint.ttftMs === null ? null : Math.round(endpoint.ttftMs),
      requestsTotal: endpoint.stats.requests,
      errorsTotal:
        endpoint.stats.connectErrors +
        endpoint.stats.responseErrors +
        endpoint.stats.timeouts +
        endpoint.stats.keyRefusals +
        endpoint.stats.statusClasses[4],
      clientAbortsTotal: endpoint.stats.clientAborts,
      retriesTotal: endpoint.stats.retries,
      redispatchesTotal: endpoint.stats.redispatches,
      promptTokensTotal: endpoint.stats.promptTokens,
      completionTokensTotal: endpoint.stats.completionTokens,
      load: endpoint.load,
      lastCheck: endpoint.lastCheck,
      alarms: alarms.get(endpoint.id) ?? [],
    })),
  }
}

/** Null while what is used is what was read last. */
function configurationRow({ configTrouble }: GatewayState, nowMs: number) {
  if (configTrouble === null) return null
  const { source, first, more, sinceMs } = configTrouble
  return { source, problem: first, moreProblems: more, agoMs: Math.round(nowMs - sinceMs) }
}

/** Null without a `routing.script`. */
function scriptRow({ script, scriptTrouble }: GatewayState, nowMs: number) {
  if (script === null) return null
  return {
    isLeftOut: script.isLeftOut,
    failures: scriptTrouble?.failures ?? 0,
    lastFailure:
      scriptTrouble === null
        ? null
        : { why: scriptTrouble.why, agoMs: Math.round(nowMs - scriptTrouble.atMs) },
  }
}
