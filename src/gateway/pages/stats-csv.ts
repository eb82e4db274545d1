import type { GatewayState } from '#gateway/gateway-state.ts'
import { statsColumns, statsRows } from '#gateway/pages/stats-table.ts'

/** The table as HAProxy prints it at `;csv`: a header line that starts with `# `. */
export function statsCsv(state: GatewayState): string {
  const header = `# ${statsColumns.map(({ name }) => name).join(',')}`
  const lines = statsRows(state).map((row) => row.map(cell).join(','))
  return `${[header, ...lines].join('\n')}\n`
}

function cell(value: string | number | null): string {
  if (value === null) return ''
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
