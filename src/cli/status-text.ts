/** The table of `motley status`: one line for each endpoint, and why one is not ready below it. */

import type { FleetStatus } from '#cli/fleet-status.ts'
import { durationText } from '#cli/quantity.ts'
import { type Column, shorten, tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'

type EndpointStatus = FleetStatus['endpoints'][number]

const columns: readonly Column[] = [
  { title: 'ENDPOINT', maxWidth: 15 },
  { title: 'STATE' },
  { title: 'ENGINE', maxWidth: 12 },
  { title: 'MODELS' },
  { title: 'LOAD', align: 'right' },
  { title: 'WT', align: 'right' },
  { title: 'TTFT', align: 'right' },
  { title: 'REQS', align: 'right' },
  { title: 'ERRS', align: 'right' },
]

const modelColumn = 3

const colours: Readonly<Record<string, 'green' | 'yellow' | 'red'>> = {
  ready: 'green',
  busy: 'yellow',
  loading: 'yellow',
  draining: 'yellow',
  failing: 'red',
  failed: 'red',
}

export function statusText({ gateway, endpoints }: FleetStatus, width = terminalWidth): string {
  const ready = endpoints.filter(({ state }) => takesRequests(state)).length
  const head = [
    `${ready} of ${endpoints.length} endpoints ready, ${gateway.inFlight - gateway.queued} requests running, ${gateway.queued} waiting`,
    `Motley ${gateway.version}, up ${durationText(gateway.uptimeSeconds * 1_000)}, strategy ${gateway.strategy}`,
  ].join('\n')
  if (endpoints.length === 0) {
    return `${head}\nNo endpoints: add some to motley.yaml, or run a model: motley replica start.`
  }

  const rows = endpoints.map(row)
  const [titles = '', ...lines] = tableLines(fitted(rows, width), rows)
  const body = endpoints.flatMap((endpoint, index) => {
    const line = (lines[index] ?? '').replace(
      `  ${endpoint.state}`,
      `  ${paint(colours[endpoint.state] ?? 'red', endpoint.state)}`,
    )
    return endpoint.reason === null || endpoint.state === 'ready'
      ? [line]
      : [line, shorten(`  ${endpoint.reason}`, width)]
  })
  const alarms = endpoints.flatMap((endpoint) =>
    // Whole, however wide the terminal is: the end of the sentence says what to do.
    endpoint.alarms.map((alarm) => `${paint('red', `! ${endpoint.name}`)}: ${alarm}`),
  )
  const below = alarms.length === 0 ? [] : ['', ...alarms]
  return [head, '', paint('bold', titles), ...body, ...below].join('\n')
}

/** Models get what the other columns leave of the line; --json has them all. */
function fitted(rows: readonly (readonly string[])[], width: number): Column[] {
  const others = columns.filter((_, index) => index !== modelColumn)
  const withoutModels = rows.map((cells) => cells.filter((_, index) => index !== modelColumn))
  const taken = Math.max(...tableLines(others, withoutModels).map((line) => line.length))
  const maxWidth = Math.max(6, width - taken - 2)
  return columns.map((column, index) => (index === modelColumn ? { ...column, maxWidth } : column))
}

function row(endpoint: EndpointStatus): string[] {
  const { name, state, engine, models, inFlight, maxInFlight, weight, effectiveWeight } = endpoint
  return [
    name,
    state,
    engine?.replace('motley-', '') ?? '?',
    models.join(' ') || '-',
    maxInFlight === null ? String(inFlight) : `${inFlight}/${maxInFlight}`,
    // One that takes nothing does not ramp up either, however long it has been away.
    effectiveWeight === weight || !takesRequests(state)
      ? short(weight)
      : `${short(effectiveWeight)}/${short(weight)}`,
    endpoint.ttftMs === null ? '-' : ttftText(endpoint.ttftMs),
    count(endpoint.requestsTotal),
    count(endpoint.errorsTotal),
  ]
}

export function takesRequests(state: string): boolean {
  return state === 'ready' || state === 'busy'
}

function ttftText(ttftMs: number): string {
  return ttftMs < 1_000 ? `${Math.round(ttftMs)}ms` : `${(ttftMs / 1_000).toFixed(1)}s`
}

function short(value: number): string {
  return String(Number(value.toFixed(1)))
}

function count(value: number): string {
  if (value < 100_000) return String(value)
  return value < 100_000_000 ? `${Math.round(value / 1_000)}k` : `${Math.round(value / 1e6)}M`
}
