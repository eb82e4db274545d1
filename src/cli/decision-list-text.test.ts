import { expect, test } from 'vitest'
import { decisionListText } from '#cli/decision-list-text.ts'

const nowMs = new Date(2026, 10, 28, 15, 30).getTime()

function row(requestId: string, fields: object = {}) {
  return {
    requestId,
    arrivedAtMs: new Date(2026, 10, 28, 15, 29, 7).getTime(),
    model: 'gpt-4o-mini',
    answeredModel: 'llama-3.1-8b',
    endpoint: 'h100',
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
    { decisions: [row('req-a-2'), row('req-a-1', { ...refused, ...yesterday })] },
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
  const text = decisionListText({ decisions: [row('req-a-3', { attempts: 2 })] }, 80, nowMs)
  expect(text.split('\n')[1]).toBe(
    '15:29:07  llama-3.1-8b  h100      200 ok, attempt 2  123 ms  req-a-3',
  )
})

test('the status of an engine that refused is told once', () => {
  const outcome = '401 "Unauthorized"'
  const text = decisionListText(
    { decisions: [row('req-a-4', { status: 401, outcome })] },
    80,
    nowMs,
  )
  expect(text.split('\n')[1]).toContain('  401 "Unauthorized"  ')
})

test('the id of a request is never cut, and what a client wrote moves no cursor', () => {
  const id = '2f1c7a4e-9a33-4d15-8a0e-0d5f0c6f6b11'
  const long = {
    ...nowhere,
    model: `meta\u001b[2J${'a'.repeat(60)}`,
    endpoint: 'a-long-name.local',
  }
  const outcome = 'no_permitted_endpoint'
  const text = decisionListText({ decisions: [row(id, { ...long, outcome })] }, 80, nowMs)
  const [, line = ''] = text.split('\n')
  expect(line.endsWith(id)).toBe(true)
  expect(line).toContain('meta?…')
  expect(line.length).toBeLessThanOrEqual(80)
})

test('before any request it says so', () => {
  expect(decisionListText({ decisions: [] }, 80, nowMs)).toBe('No request has come yet.')
})
