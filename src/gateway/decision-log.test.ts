import { expect, test } from 'vitest'
import { modelName, requestId } from '#core/ids.ts'
import { DecisionLog, type RequestRecord } from '#gateway/decision-log.ts'

function record(id: string, decided: boolean): RequestRecord {
  const decision = {
    atMs: 0,
    model: modelName('m'),
    strategy: 'fastest',
    scoreMeaning: '',
    candidates: [],
    leftOut: 0,
  }
  return {
    requestId: requestId(id),
    model: 'm',
    answeredModel: null,
    decisions: decided ? [decision] : [],
    scriptFailures: [],
    attempts: [],
    queueMs: 0,
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
