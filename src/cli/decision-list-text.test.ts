import { expect, test } from 'vitest'
import type { z } from 'zod'
import { type decisionList, decisionListText } from '#cli/decision-list-text.ts'

type RunningStage = z.output<typeof decisionList>['running'][number]['stage']

const nowMs = new Date(2026, 10, 28, 15, 30).getTime()

function row(requestId: string, fields: object = {}) {
  return {
    requestId,
    arrivedAtMs: new Date(2026, 10, 28, 15, 29, 7).getTime(),
    model: 'gpt-4o-mini',
    answeredModel: 'llama-3.1-8b',
    endpoint: 'h100',
    begunBy: null,
    attempts: 1,
    status: 200,
    outcome: 'ok',
    ttftMs: 123.4,
    ...fields,
  }
}

const nowhere = { answeredModel: null, endpoint: null, ttftMs: null }

test('each request is told with when it came, who answered, what came of it and how to ask for more', () => {
  const refused = { ...nowhere, status: 404, outcome: 'model_not_found', model: 'gtp' }
  const yesterday = { arrivedAtMs: new Date(2026, 10, 27, 8, 0, 0).getTime() }
  const text = decisionListText(
    { running: [], decisions: [row('req-a-2'), row('req-a-1', { ...refused, ...yesterday })] },
    80,
    nowMs,
  )
  expect(text.split('\n').slice(0, 3)).toEqual([
    'TIME                 MODEL         ENDPOINT  OUTCOME              FIRST  REQUEST',
    '15:29:07             llama-3.1-8b  h100      200 ok              123 ms  req-a-2',
    '2026-11-27 08:00:00  gtp           -         404 model_not_fou…       -  req-a-1',
  ])
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
})

test('an answer that took more than one attempt says which of them ended it', () => {
  const text = decisionListText(
    { running: [], decisions: [row('req-a-3', { attempts: 2 })] },
    80,
    nowMs,
  )
  expect(text.split('\n')[1]).toBe(
    '15:29:07  llama-3.1-8b  h100      200 ok, attempt 2  123 ms  req-a-3',
  )
})

test('the status of an engine that refused is told once', () => {
  const outcome = '401 "Unauthorized"'
  const text = decisionListText(
    { running: [], decisions: [row('req-a-4', { status: 401, outcome })] },
    80,
    nowMs,
  )
  expect(text.split('\n')[1]).toContain('  401 "Unauthorized"  ')
})

test('an answer that went on elsewhere names both endpoints, the one that began it first', () => {
  const went = row('req-a-4', { begunBy: 'rtx', endpoint: 'amd', attempts: 2 })
  const text = decisionListText({ running: [], decisions: [went] }, 80, nowMs)
  expect(text.split('\n')[1]).toBe(
    '15:29:07  llama-3.1-8b  rtx → amd  200 ok, attempt 2  123 ms  req-a-4',
  )
})

test('requests that run come first, with what each is at', () => {
  const running = (id: string, stage: RunningStage, fields: object = {}) => ({
    ...{ requestId: id, arrivedAtMs: nowMs, model: 'llama-3.1-8b', answeredModel: null },
    ...{ stage, begunBy: null, ttftMs: null, ...fields },
  })
  const asking = { kind: 'asking', endpoint: 'h100', isRest: false, sentAfterMs: 4 } as const
  const text = decisionListText(
    {
      running: [
        running('r-1', { ...asking, attempt: 1 }),
        running('r-2', { ...asking, attempt: 2, isRest: true }, { begunBy: 'rtx', ttftMs: 31 }),
        running('r-3', { kind: 'waiting', for: 'room', forMs: 12_300 }),
        running('r-4', { kind: 'waiting', for: 'endpoint', forMs: 800 }, { begunBy: 'rtx' }),
        running('r-5', { kind: 'arriving' }, { model: '' }),
      ],
      decisions: [row('req-a-5')],
    },
    80,
    nowMs,
  )
  expect(text.split('\n').slice(0, 7)).toEqual([
    'TIME      MODEL         ENDPOINT    OUTCOME              FIRST  REQUEST',
    '15:30:00  llama-3.1-8b  h100        running                  -  r-1',
    '15:30:00  llama-3.1-8b  rtx → h100  running, attempt 2   31 ms  r-2',
    '15:30:00  llama-3.1-8b  -           waiting 12 s             -  r-3',
    '15:30:00  llama-3.1-8b  rtx         waiting 1 s              -  r-4',
    '15:30:00  -             -           arriving                 -  r-5',
    '15:29:07  llama-3.1-8b  h100        200 ok              123 ms  req-a-5',
  ])
})

test('the id of a request is never cut, and what a client wrote moves no cursor', () => {
  const id = '2f1c7a4e-9a33-4d15-8a0e-0d5f0c6f6b11'
  const long = {
    ...nowhere,
    model: `meta\u001b[2J${'a'.repeat(60)}`,
    endpoint: 'a-long-name.local',
  }
  const outcome = 'no_permitted_endpoint'
  const text = decisionListText(
    { running: [], decisions: [row(id, { ...long, outcome })] },
    80,
    nowMs,
  )
  const [, line = ''] = text.split('\n')
  expect(line.endsWith(id)).toBe(true)
  expect(line).toContain('meta?…')
  expect(line.length).toBeLessThanOrEqual(80)
})

test('before any request it says so', () => {
  expect(decisionListText({ running: [], decisions: [] }, 80, nowMs)).toBe(
    'No request has come yet.',
  )
})
