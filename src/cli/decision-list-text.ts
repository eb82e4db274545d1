/** The words of `motley why` without a name: the newest requests, a line each. */
import { z } from 'zod'
import { clockText } from '#cli/clock-text.ts'
import { type Column, tableLines } from '#cli/table.ts'
import { printable } from '#std/printable.ts'
import { roughDuration } from '#std/rough-number.ts'

/** What is used of GET /admin/v1/decisions. */
export const decisionList = z.object({
  decisions: z.array(
    z.object({
      requestId: z.string(),
      arrivedAtMs: z.number(),
      model: z.string(),
      answeredModel: z.string().nullable(),
      endpoint: z.string().nullable(),
      /** An earlier gateway does not count them. */
      attempts: z.number().default(1),
      status: z.number(),
      outcome: z.string(),
      ttftMs: z.number().nullable(),
    }),
  ),
})
type Row = z.output<typeof decisionList>['decisions'][number]

/** What is cut where the line is full; an id that is cut cannot be asked about. */
const columns: readonly (Column & { readonly widthMin?: number })[] = [
  { title: 'TIME' },
  { title: 'MODEL', widthMin: 6 },
  { title: 'ENDPOINT', widthMin: 8 },
  { title: 'OUTCOME', widthMin: 6 },
  { title: 'FIRST', align: 'right' },
  { title: 'REQUEST' },
]

export function decisionListText(
  { decisions }: z.output<typeof decisionList>,
  width: number,
  nowMs: number,
): string {
  if (decisions.length === 0) return 'No request has come yet.'
  const rows = decisions.map((row) => cells(row, nowMs))
  return [
    ...tableLines(fitted(rows, width), rows),
    '',
    'FIRST: to its first token, from TIME on. "motley why REQUEST" says more of one.',
  ].join('\n')
}

function cells(row: Row, nowMs: number): string[] {
  const { answeredModel, model, endpoint, attempts, status, outcome, ttftMs } = row
  const times = attempts > 1 ? `, attempt ${attempts}` : ''
  return [
    clockText(row.arrivedAtMs, nowMs),
    printable(answeredModel ?? model) || '-',
    endpoint ?? '-',
    `${statusAndOutcome(status, printable(outcome))}${times}`,
    ttftMs === null ? '-' : roughDuration(ttftMs),
    row.requestId,
  ]
}

/** What an engine answered begins with the status that it answered with. */
function statusAndOutcome(status: number, outcome: string): string {
  return `${outcome} `.startsWith(`${status} `) ? outcome : `${status} ${outcome}`
}

/** The widest of the columns that may be cut gives first, until the line fits or all are at their least. */
function fitted(rows: readonly (readonly string[])[], width: number): Column[] {
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)),
  )
  const between = 2 * (columns.length - 1)
  let over = widths.reduce((sum, one) => sum + one, between) - width
  while (over > 0) {
    const widest = columns.reduce((best, { widthMin }, at) => {
      const canGive = widthMin !== undefined && widths[at]! > widthMin
      return canGive && (best === -1 || widths[at]! > widths[best]!) ? at : best
    }, -1)
    if (widest === -1) break
    widths[widest]!--
    over--
  }
  return columns.map(({ widthMin: _widthMin, ...column }, at) => ({
    ...column,
    maxWidth: widths[at]!,
  }))
}
