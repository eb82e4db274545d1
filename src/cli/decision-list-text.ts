/** The words of `motley why` without a name: what runs and the newest requests, a line each. */
import { z } from 'zod'
import { agoText } from '#cli/ago-text.ts'
import { clockText } from '#cli/clock-text.ts'
import { runningStage } from '#cli/running-stage.ts'
import { type Column, tableLines } from '#cli/table.ts'
import { printable } from '#std/printable.ts'
import { roughDuration } from '#std/rough-number.ts'

/** What is used of GET /admin/v1/decisions. */
export const decisionList = z.object({
  /** An earlier gateway tells only of those that are over. */
  running: z
    .array(
      z.object({
        requestId: z.string(),
        arrivedAtMs: z.number(),
        model: z.string(),
        answeredModel: z.string().nullable(),
        stage: runningStage,
        begunBy: z.string().nullable(),
        ttftMs: z.number().nullable(),
      }),
    )
    .default([]),
  decisions: z.array(
    z.object({
      requestId: z.string(),
      arrivedAtMs: z.number(),
      model: z.string(),
      answeredModel: z.string().nullable(),
      endpoint: z.string().nullable(),
      begunBy: z.string().nullable().default(null),
      /** An earlier gateway does not count them. */
      attempts: z.number().default(1),
      status: z.number(),
      outcome: z.string(),
      ttftMs: z.number().nullable(),
    }),
  ),
})
type Row = z.output<typeof decisionList>['decisions'][number]
type RunningRow = z.output<typeof decisionList>['running'][number]

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
  { running, decisions }: z.output<typeof decisionList>,
  width: number,
  nowMs: number,
): string {
  if (running.length + decisions.length === 0) return 'No request has come yet.'
  const rows = [
    ...running.map((row) => runningCells(row, nowMs)),
    ...decisions.map((row) => cells(row, nowMs)),
  ]
  return [
    ...tableLines(fitted(rows, width), rows),
    '',
    'FIRST: to its first token, from TIME on, with what it waited here; TTFT of',
    '  "motley status" is from when it was sent. "motley why REQUEST" says more.',
  ].join('\n')
}

function cells(row: Row, nowMs: number): string[] {
  const { endpoint, begunBy, attempts, status, outcome } = row
  const came = `${statusAndOutcome(status, printable(outcome))}${ofAttempt(attempts)}`
  return cellsOf(row, { endpoint: pathText(begunBy, endpoint), came }, nowMs)
}

function runningCells(row: RunningRow, nowMs: number): string[] {
  const { stage, begunBy } = row
  if (stage.kind === 'asking') {
    const endpoint = pathText(begunBy, stage.endpoint)
    return cellsOf(row, { endpoint, came: `running${ofAttempt(stage.attempt)}` }, nowMs)
  }
  const came = stage.kind === 'waiting' ? `waiting ${agoText(stage.forMs)}` : 'arriving'
  return cellsOf(row, { endpoint: begunBy ?? '-', came }, nowMs)
}

function cellsOf(
  { arrivedAtMs, answeredModel, model, ttftMs, requestId }: Omit<RunningRow, 'stage' | 'begunBy'>,
  { endpoint, came }: { readonly endpoint: string; readonly came: string },
  nowMs: number,
): string[] {
  return [
    clockText(arrivedAtMs, nowMs),
    printable(answeredModel ?? model) || '-',
    endpoint,
    came,
    ttftMs === null ? '-' : roughDuration(ttftMs),
    requestId,
  ]
}

/** What an engine answered begins with the status that it answered with. */
function statusAndOutcome(status: number, outcome: string): string {
  return `${outcome} `.startsWith(`${status} `) ? outcome : `${status} ${outcome}`
}

function ofAttempt(attempt: number): string {
  return attempt > 1 ? `, attempt ${attempt}` : ''
}

/** `rtx → amd` where the second went on with what the first began. */
function pathText(begunBy: string | null, endpoint: string | null): string {
  if (begunBy === null || begunBy === endpoint) return endpoint ?? '-'
  return `${begunBy} → ${endpoint ?? '-'}`
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
