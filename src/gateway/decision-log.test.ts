import { expect, test } from 'vitest'
import { modelName, requestId } from '#core/ids.ts'
import { DecisionLog, type RequestRecord } from '#gateway/decision-log.ts'

function record(id: string, decided: boolean, startedMs = 0): RequestRecord {
  const decision = {
    atMs: 0,
    model: modelName('m'),
    strategy: 'fastest',
    scoreMeaning: '',
    candidates: [],
    leftOut: 0,
    explores: false,
  }
  return {
    requestId: requestId(id),
    arrivedAtMs: 1_700_000_000_000 + startedMs,
    startedMs,
    unserved: [],
    model: 'm',
    answeredModel: null,
    decisions: decided ? [decision] : [],
    scriptFailures: [],
    attempts: [],
    queueMs: 0,
    awayMs: 0,
    ttftMs: null,
    totalMs: 1,
    status: decided ? 200 : 401,
    refused: decided ? null : { code: 'invalid_api_key', message: 'no' },
  }
}

test('requests that are refused at the door do not push out what was decided', () => {
  const log = new DecisionLog()
  log.add(record('good', true))
  for (let index = 0; index < 1_500; index++) log.add(record(`bad-${index}`, false))
  expect(log.get('good')?.status).toBe(200)
  expect(log.get('bad-1499')?.refused?.code).toBe('invalid_api_key')
  expect(log.get('bad-0')).toBeNull()
})

test('the newest come first, whether an endpoint was looked for or not', () => {
  const log = new DecisionLog()
  log.add(record('first', true, 1))
  log.add(record('refused', false, 2))
  log.add(record('last', true, 3))
  const ids = (count: number) => log.newest(count).map((each) => each.requestId)
  expect(ids(2)).toEqual(['last', 'refused'])
  expect(ids(20)).toEqual(['last', 'refused', 'first'])
  for (let at = 0; at < 1_500; at++) log.add(record(`more-${at}`, true, 10 + at))
  expect(log.newest(1_000).at(-1)?.requestId).toBe('more-500')
})
