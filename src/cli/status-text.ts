/** The table of `motley status`: one line for each endpoint, and why one is not ready below it. */

import { agoText } from '#cli/ago-text.ts'
import type { FleetStatus } from '#cli/fleet-status.ts'
import { counted } from '#cli/plan-text.ts'
import { durationText } from '#cli/quantity.ts'
import { type Column, shorten, tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

type EndpointStatus = FleetStatus['endpoints'][number]

const columns: readonly Column[] = [
  { title: 'ENDPOINT', maxWidth: 15 },
  { title: 'STATE' },
  { title: 'ENGINE', maxWidth: 12 },
  { title: 'LOAD', align: 'right' },
  { title: 'WT', align: 'right' },
  { title: 'TTFT', align: 'right' },
  { title: 'REQS', align: 'right' },
  { title: 'ERRS', align: 'right' },
]

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
    `${ready} of ${endpoints.length} endpoints ready, ${counted(gateway.inFlight - gateway.queued, 'request')} running, ${gateway.queued} waiting`,
    `Motley ${gateway.version}, up ${durationText(gateway.uptimeSeconds * 1_000)}, strategy ${gateway.strategy}`,
  ].join('\n')
  const script = [
    ...configurationLines(gateway.configuration, width),
    ...scriptLines(gateway.routingScript, width),
  ]
  if (endpoints.length === 0) {
    return `${[head, ...script].join('\n')}\nNo endpoints: add some to motley.yaml, or run a model: motley replica start.`
  }

  const [titles = '', ...lines] = rowsOf(endpoints, width)
  const body = endpoints.flatMap((endpoint, index) => {
    const line = (lines[index] ?? '').replace(
      `  ${endpoint.state}`,
      `  ${paint(colours[endpoint.state] ?? 'red', endpoint.state)}`,
    )
    return endpoint.reason === null || endpoint.state === 'ready'
      ? [line]
      : [line, ...wrapped(`  ${endpoint.reason}`, width, '    ')]
  })
  const alarms = endpoints.flatMap((endpoint) =>
    endpoint.alarms.flatMap((alarm) =>
      wrapped(`! ${endpoint.name}: ${alarm}`, width, '  ').map((line) =>
        line.replace(`! ${endpoint.name}:`, `${paint('red', `! ${endpoint.name}`)}:`),
      ),
    ),
  )
  const below = alarms.length === 0 ? [] : ['', ...alarms]
  return [head, ...script, '', paint('bold', titles), ...body, ...below].join('\n')
}

/** Whoever saved the file sees in no answer that it is not used. */
function configurationLines(
  trouble: FleetStatus['gateway']['configuration'],
  width: number,
): string[] {
  if (trouble === null) return []
  const { source, problem, moreProblems, agoMs } = trouble
  const more = moreProblems === 0 ? '' : ` (and ${moreProblems} more)`
  const text = `! ${source} was changed ${agoText(agoMs)} ago and is not used: ${problem}${more}. All stays as it was read before.`
  return wrapped(text, width, '  ').map((line, at) =>
    at === 0 ? line.replace(`! ${source}`, paint('red', `! ${source}`)) : line,
  )
}

/** A script that fails leaves requests to the rules, which nobody sees in their answers. */
function scriptLines(script: FleetStatus['gateway']['routingScript'], width: number): string[] {
  if (script === null || script.lastFailure === null) return []
  const { isLeftOut, failures, lastFailure } = script
  const times = failures === 1 ? 'once' : `${failures} times`
  const what = isLeftOut ? 'is left out until its file is read again; it failed' : 'failed'
  const text = `! routing.script ${what} ${times}, last ${agoText(lastFailure.agoMs)} ago, and rules alone decided: ${lastFailure.why}. "motley why <request-id>" and the log tell more.`
  return wrapped(text, width, '  ').map((line, at) =>
    at === 0 ? line.replace('! routing.script', paint('red', '! routing.script')) : line,
  )
}

/** The titles and a line for each. Models get what the other columns leave of it; --json has them all. */
function rowsOf(endpoints: readonly EndpointStatus[], width: number): string[] {
  const lines = tableLines(columns, endpoints.map(row))
  const taken = Math.max(...lines.map((line) => line.length))
  const room = Math.max(modelsWidthMin, width - taken - 2)
  return lines.map((line, at) => {
    const endpoint = endpoints[at - 1]
    const models = endpoint === undefined ? 'MODELS' : modelsText(endpoint.models, room)
    return `${line.padEnd(taken)}  ${models}`
  })
}

const modelsWidthMin = 6

/** `llama-3.1-8b +14`: as many names as fit, at least a piece of one, and how many more there are. */
function modelsText(models: readonly string[], room: number): string {
  const [first] = models
  if (first === undefined) return '-'
  const more = (shown: number): string =>
    shown === models.length ? '' : ` +${models.length - shown}`
  for (let shown = models.length; shown > 0; shown--) {
    const text = `${models.slice(0, shown).join(' ')}${more(shown)}`
    if (text.length <= room) return text
  }
  return `${shorten(first, room - more(1).length)}${more(1)}`
}

function row(endpoint: EndpointStatus): string[] {
  const { name, state, engine, inFlight, maxInFlight, weight, effectiveWeight } = endpoint
  return [
    name,
    state,
    shortEngine(engine) ?? '?',
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

/** As tables say it, where letters are few; its own name is that of `--json`. */
export function shortEngine(engine: string | null | undefined): string | null {
  return engine?.replace('motley-', '') ?? null
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
