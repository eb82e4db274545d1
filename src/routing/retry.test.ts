import { expect, test } from 'vitest'
import { planRetry, type RetryQuestion } from '#routing/retry.ts'

const question: RetryQuestion = {
  failure: 'server-error',
  attempts: 1,
  maxAttempts: 3,
  endpointsTried: 1,
  triesHere: 1,
  othersLeft: 1,
  largerLeft: false,
  modelsLeft: 0,
}

test.each([
  ['another endpoint comes first', {}, 'elsewhere'],
  ['the only endpoint gets a second try after a 5xx', { othersLeft: 0 }, 'same-endpoint'],
  ['and after a reset', { othersLeft: 0, failure: 'reset' }, 'same-endpoint'],
  ['but none after a timeout', { othersLeft: 0, failure: 'timeout' }, 'give-up'],
  ['none when nothing listens', { othersLeft: 0, failure: 'unreachable' }, 'give-up'],
  [
    'none when the key of the gateway is refused',
    { othersLeft: 0, failure: 'key-refused' },
    'give-up',
  ],
  ['a refused key is no reason elsewhere', { failure: 'key-refused' }, 'elsewhere'],
  ['and no third', { othersLeft: 0, attempts: 2, triesHere: 2 }, 'give-up'],
  ['the last of several is not tried twice', { othersLeft: 0, endpointsTried: 2 }, 'give-up'],
  ['a wrong request stays wrong', { failure: 'refused' }, 'give-up'],
  ['time that is used up is used up everywhere', { failure: 'out-of-time' }, 'give-up'],
  ['attempts are limited', { attempts: 3 }, 'give-up'],
  ['attempts are limited with fallbacks too', { attempts: 3, modelsLeft: 2 }, 'give-up'],
  ['one attempt is kept for a fallback', { attempts: 2, modelsLeft: 1 }, 'next-model'],
  [
    'a fallback answers when no endpoint is left',
    { failure: 'timeout', othersLeft: 0, modelsLeft: 1 },
    'next-model',
  ],
  ['too long for all goes to the fallback', { failure: 'too-large', modelsLeft: 1 }, 'next-model'],
  [
    'too long for this one goes to a larger one',
    { failure: 'too-large', largerLeft: true },
    'elsewhere',
  ],
  ['too long without a larger one ends', { failure: 'too-large' }, 'give-up'],
  ['a single attempt leaves nothing for fallbacks', { maxAttempts: 1, modelsLeft: 3 }, 'give-up'],
] as const)('%s', (_name, change, plan) => {
  expect(planRetry({ ...question, ...change })).toBe(plan)
})
