/** The operator's table as a page: no script, no outside file, made anew every two seconds. */
import type { GatewayState } from '#gateway/gateway-state.ts'
import { statsColumns, statsRows } from '#gateway/pages/stats-table.ts'

const refreshSeconds = 2

/** The columns that a person reads at a glance; the CSV has all of them. */
const shown: ReadonlySet<string> = new Set([
  'svname',
  'status',
  'engine',
  'models',
  'weight',
  'throttle',
  'qcur',
  'scur',
  'smax',
  'slim',
  'stot',
  'econ',
  'eresp',
  'etime',
  'wretr',
  'wredis',
  'cli_abrt',
  'hrsp_2xx',
  'hrsp_4xx',
  'hrsp_5xx',
  'check_status',
  'chkfail',
  'chkdown',
  'lastchg',
  'downtime',
  'rtime',
  'ttime',
  'tokens_out',
  'kv_use',
])

const numeric = new Set(['number'])

export function statsHtml(state: GatewayState): string {
  const columns = statsColumns.map((column, index) => ({ ...column, index }))
  const kept = columns.filter(({ name }) => shown.has(name))
  const statusAt = columns.findIndex(({ name }) => name === 'status')
  const reasonAt = columns.findIndex(({ name }) => name === 'reason')
  const head = kept
    .map(
      ({ title, meaning, name }) =>
        `<th title="${escapeHtml(`${meaning} (${name})`)}">${escapeHtml(title)}</th>`,
    )
    .join('')
  const body = statsRows(state)
    .map((row) => {
      const status = String(row[statusAt])
      const reason = row[reasonAt]
      const cells = kept.map(({ index, name }) => {
        const value = row[index] ?? null
        const text = escapeHtml(value === null ? '' : grouped(value))
        if (name === 'status') {
          const why = reason == null ? '' : `<small>${escapeHtml(String(reason))}</small>`
          return `<td class="state">${text}${why}</td>`
        }
        return numeric.has(typeof value) ? `<td class="n">${text}</td>` : `<td>${text}</td>`
      })
      return `<tr class="${escapeHtml(status)}">${cells.join('')}</tr>`
    })
    .join('\n')
  const uptime = duration((state.nowMs() - state.startedMs) / 1000)
  const empty = `<tr><td colspan="${kept.length}">No endpoints yet: name some under <code>endpoints</code> in motley.yaml.</td></tr>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="${refreshSeconds}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Motley stats</title>
<style>
:root { color-scheme: light dark }
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5rem; color: light-dark(#1c2430, #dfe5ee); background: light-dark(#fafbfc, #12161c) }
h1 { font-size: 1.25rem; margin: 0 0 .25rem }
p { margin: 0 0 1rem; color: light-dark(#556070, #98a3b3) }
p.trouble { color: inherit; border-left: 4px solid #d1403f; padding-left: .6rem }
.scroll { overflow-x: auto; border: 1px solid light-dark(#d8dee6, #2c3540); border-radius: 6px }
table { border-collapse: collapse; white-space: nowrap; min-width: 100% }
th, td { padding: .4rem .6rem; text-align: left; border-bottom: 1px solid light-dark(#e6eaef, #242c36); vertical-align: top }
th { font-weight: 600; font-size: .8rem; background: light-dark(#eef1f5, #1a2029); position: sticky; top: 0; cursor: help }
td:first-child { font-weight: 600; position: sticky; left: 0; background: inherit }
td.n { text-align: right; font-variant-numeric: tabular-nums }
td.state { min-width: 6.5rem }
small { display: block; max-width: 22rem; white-space: normal; color: light-dark(#556070, #98a3b3) }
tr { background: light-dark(#fff, #161b22) }
tr td.state { border-left: 4px solid #8a94a3 }
tr.ready td.state { border-left-color: #2e9d5b } tr.busy td.state { border-left-color: #2f7fd1 }
tr.loading td.state, tr.failing td.state { border-left-color: #d99a1c } tr.failed td.state { border-left-color: #d1403f }
tr.failed { background: light-dark(#fdf1f1, #2a1a1c) }
a { color: inherit }
</style>
</head>
<body>
<h1>Motley ${escapeHtml(state.version)}</h1>
<p>up ${uptime} &middot; ${escapeHtml(state.config.routing.strategy)} &middot; ${state.running.size} in flight &middot; ${state.waiting} queued${state.stopping ? ' &middot; draining' : ''} &middot; <a href="/stats;csv">all columns as CSV</a></p>
${troubles(state)}<div class="scroll"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${body === '' ? empty : body}
</tbody>
</table></div>
</body>
</html>
`
}

/** What operators would see in no answer: a line each. */
function troubles({ configTrouble, script, scriptTrouble, nowMs }: GatewayState): string {
  const ago = (atMs: number) => `${duration((nowMs() - atMs) / 1000)} ago`
  const lines: string[] = []
  if (configTrouble !== null) {
    const { source, first, more, sinceMs } = configTrouble
    lines.push(
      `${source} was changed ${ago(sinceMs)} and is not used: ${first}${more === 0 ? '' : ` (and ${more} more)`}`,
    )
  }
  if (script !== null && scriptTrouble !== null) {
    const { failures, why, atMs } = scriptTrouble
    const state = script.isLeftOut ? 'is left out, it failed' : 'failed'
    lines.push(
      `routing.script ${state} ${failures} times, last ${ago(atMs)}, and rules alone decided: ${why}`,
    )
  }
  return lines.map((line) => `<p class="trouble">${escapeHtml(line)}</p>\n`).join('')
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function grouped(value: string | number): string {
  return typeof value === 'number' ? value.toLocaleString('en-US') : value
}

function duration(seconds: number): string {
  const whole = Math.floor(seconds)
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  return parts
    .slice(first === -1 ? 3 : first, (first === -1 ? 3 : first) + 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}
