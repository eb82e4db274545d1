/**
 * The operator's table: the columns of HAProxy's stats page, so that eyes and scripts used to
 * those find them, and what only an engine has beside them. One definition makes page and CSV.
 */
import { effectiveWeight } from '#core/endpoint.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'

export interface StatsColumn {
  /** HAProxy's name where it has one. */
  readonly name: string
  readonly title: string
  readonly meaning: string
  /** Null shows as an empty cell. */
  value(endpoint: Endpoint, state: GatewayState): string | number | null
}

const mean = (value: number | null): number | null => (value === null ? null : Math.round(value))

export const statsColumns: readonly StatsColumn[] = [
  { name: 'svname', title: 'endpoint', meaning: 'name', value: (one) => one.id },
  { name: 'status', title: 'state', meaning: 'state', value: (one) => one.state },
  { name: 'reason', title: 'why', meaning: 'why it is not ready', value: (one) => one.reason },
  { name: 'engine', title: 'engine', meaning: 'engine', value: (one) => one.engine },
  {
    name: 'models',
    title: 'models',
    meaning: 'models it serves',
    value: (one) => [...(one.models?.keys() ?? [])].join(' '),
  },
  {
    name: 'weight',
    title: 'weight',
    meaning: 'effective weight',
    value: (one) => Math.round(effectiveWeight(one) * 100) / 100,
  },
  { name: 'uweight', title: 'set', meaning: 'weight as configured', value: (one) => one.weight },
  {
    name: 'throttle',
    title: 'slow start',
    meaning: 'percent of its weight while it ramps up',
    value: (one) => (one.slowStartRatio >= 1 ? null : Math.round(one.slowStartRatio * 100)),
  },
  {
    name: 'qcur',
    title: 'queued',
    meaning: 'requests waiting for a model it serves',
    value: (one, state) =>
      [...(one.models?.keys() ?? [])].reduce((sum, model) => sum + state.waitingFor(model), 0),
  },
  { name: 'scur', title: 'in flight', meaning: 'requests in flight', value: (one) => one.inFlight },
  {
    name: 'smax',
    title: 'max',
    meaning: 'most in flight so far',
    value: (one) => one.stats.inFlightMax,
  },
  {
    name: 'slim',
    title: 'limit',
    meaning: 'most in flight allowed',
    value: (one) => one.maxInFlight,
  },
  {
    name: 'stot',
    title: 'total',
    meaning: 'attempts sent there',
    value: (one) => one.stats.requests,
  },
  {
    name: 'bin',
    title: 'bytes in',
    meaning: 'bytes of requests',
    value: (one) => one.stats.bytesIn,
  },
  {
    name: 'bout',
    title: 'bytes out',
    meaning: 'bytes of answers',
    value: (one) => one.stats.bytesOut,
  },
  {
    name: 'econ',
    title: 'conn err',
    meaning: 'failed connections',
    value: (one) => one.stats.connectErrors,
  },
  {
    name: 'eresp',
    title: 'resp err',
    meaning: 'answers that broke',
    value: (one) => one.stats.responseErrors,
  },
  {
    name: 'etime',
    title: 'timeouts',
    meaning: 'answers that came too late',
    value: (one) => one.stats.timeouts,
  },
  {
    name: 'wretr',
    title: 'retried',
    meaning: 'attempts here that were tried again',
    value: (one) => one.stats.retries,
  },
  {
    name: 'wredis',
    title: 'moved in',
    meaning: 'attempts that came after another endpoint failed',
    value: (one) => one.stats.redispatches,
  },
  {
    name: 'cli_abrt',
    title: 'client left',
    meaning: 'requests whose client left',
    value: (one) => one.stats.clientAborts,
  },
  ...[1, 2, 3, 4, 5].map(
    (digit): StatsColumn => ({
      name: `hrsp_${digit}xx`,
      title: `${digit}xx`,
      meaning: `answers with status ${digit}xx`,
      value: (one) => one.stats.statusClasses[digit - 1] ?? 0,
    }),
  ),
  {
    name: 'check_status',
    title: 'check',
    meaning: 'how the last check ended',
    value: (one) => one.lastCheck?.status ?? null,
  },
  {
    name: 'check_code',
    title: 'code',
    meaning: 'HTTP status of the last check',
    value: (one) => one.lastCheck?.code ?? null,
  },
  {
    name: 'check_duration',
    title: 'check ms',
    meaning: 'how long the last check took, ms',
    value: (one) => mean(one.lastCheck?.durationMs ?? null),
  },
  {
    name: 'last_chk',
    title: 'seen',
    meaning: 'what the last check saw',
    value: (one) => one.lastCheck?.detail ?? null,
  },
  {
    name: 'chkfail',
    title: 'bad checks',
    meaning: 'failed checks',
    value: (one) => one.stats.failedChecks,
  },
  {
    name: 'chkdown',
    title: 'downs',
    meaning: 'times it went down',
    value: (one) => one.stats.timesDown,
  },
  {
    name: 'lastchg',
    title: 'since s',
    meaning: 'seconds in this state',
    value: (one, state) => Math.round((state.nowMs() - one.stateSinceMs) / 1000),
  },
  {
    name: 'downtime',
    title: 'down s',
    meaning: 'seconds down so far',
    value: (one, state) =>
      Math.round(
        (one.stats.downMs + (one.state === 'failed' ? state.nowMs() - one.stateSinceMs : 0)) / 1000,
      ),
  },
  {
    name: 'qtime',
    title: 'queue ms',
    meaning: 'mean wait in the gateway, ms, of the last 1024',
    value: (one) => mean(one.stats.queueMs.mean),
  },
  {
    name: 'ctime',
    title: 'conn ms',
    meaning: 'mean time to send, ms, of the last 1024',
    value: (one) => mean(one.stats.connectMs.mean),
  },
  {
    name: 'rtime',
    title: 'TTFT ms',
    meaning: 'mean time to first token, ms, of the last 1024',
    value: (one) => mean(one.stats.ttftMs.mean),
  },
  {
    name: 'ttime',
    title: 'total ms',
    meaning: 'mean time of an attempt, ms, of the last 1024',
    value: (one) => mean(one.stats.totalMs.mean),
  },
  {
    name: 'qtime_max',
    title: 'queue max',
    meaning: 'longest wait, ms',
    value: (one) => Math.round(one.stats.queueMs.max),
  },
  {
    name: 'rtime_max',
    title: 'TTFT max',
    meaning: 'longest time to first token, ms',
    value: (one) => Math.round(one.stats.ttftMs.max),
  },
  {
    name: 'ttime_max',
    title: 'total max',
    meaning: 'longest attempt, ms',
    value: (one) => Math.round(one.stats.totalMs.max),
  },
  {
    name: 'tokens_in',
    title: 'tokens in',
    meaning: 'prompt tokens, as reported',
    value: (one) => one.stats.promptTokens,
  },
  {
    name: 'tokens_out',
    title: 'tokens out',
    meaning: 'completion tokens, as reported',
    value: (one) => one.stats.completionTokens,
  },
  {
    name: 'eng_running',
    title: 'eng run',
    meaning: 'requests the engine says it runs',
    value: (one) => one.load?.runningRequests ?? null,
  },
  {
    name: 'eng_waiting',
    title: 'eng wait',
    meaning: 'requests the engine says wait there',
    value: (one) => one.load?.waitingRequests ?? null,
  },
  {
    name: 'kv_use',
    title: 'KV %',
    meaning: 'KV cache use, percent',
    value: (one) =>
      one.load?.kvCacheUsageRatio == null ? null : Math.round(one.load.kvCacheUsageRatio * 100),
  },
]

export function statsRows(state: GatewayState): (string | number | null)[][] {
  state.tick()
  return [...state.fleet.endpoints, ...state.fleet.leaving].map((endpoint) =>
    statsColumns.map((column) => column.value(endpoint, state)),
  )
}
