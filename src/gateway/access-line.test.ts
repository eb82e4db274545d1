import { expect, test } from 'vitest'
import { type AccessEntry, accessText } from '#gateway/access-line.ts'

const entry: AccessEntry = {
  time: '2026-01-02T10:31:07.123Z',
  requestId: 'req-6fwfju-1',
  key: 'app',
  api: 'chat-completions',
  model: 'gpt-4o-mini',
  answeredModel: 'llama-3.1-8b',
  stream: true,
  status: 200,
  error: null,
  endpoint: 'h100',
  attempts: ['h100: ok'],
  queueMs: 0,
  ttftMs: 40,
  totalMs: 1_234,
  promptTokens: 12,
  cachedTokens: null,
  completionTokens: 340,
  tokensCounted: false,
  events: 341,
  bytesOut: 9_000,
}
const after = (text: string) => text.slice('10:31:07 '.length)

test('an answer is told with who gave it, how long it took and how many tokens it was', () => {
  expect(after(accessText(entry))).toBe(
    '200 1.2 s llama-3.1-8b on h100, 12+340 tokens (req-6fwfju-1)',
  )
})

test('a refusal is told with its code, and a client that left as that', () => {
  const none = { answeredModel: null, endpoint: null, attempts: [], totalMs: 8 }
  const usage = { promptTokens: null, completionTokens: null }
  expect(
    after(accessText({ ...entry, ...none, ...usage, status: 404, error: 'model_not_found' })),
  ).toBe('404 8 ms gpt-4o-mini, model_not_found (req-6fwfju-1)')
  expect(
    after(accessText({ ...entry, ...usage, status: 499, attempts: ['a: reset', 'h100: -'] })),
  ).toBe('499 1.2 s llama-3.1-8b on h100, 2 attempts, client left (req-6fwfju-1)')
})

test('an answer that was cut is told with how far it came, and what was counted is marked', () => {
  const counted = { ...entry, completionTokens: 34, tokensCounted: true }
  expect(after(accessText({ ...counted, status: 499 }))).toBe(
    '499 1.2 s llama-3.1-8b on h100, client left, ~34 tokens (req-6fwfju-1)',
  )
  const cut = accessText({ ...counted, error: 'stream_interrupted' })
  expect(after(cut)).toBe('200 1.2 s llama-3.1-8b …, stream_interrupted, ~34 tokens (req-6fwfju-1)')
  expect(cut.length).toBeLessThanOrEqual(80)
  expect(after(accessText(counted))).toBe(
    '200 1.2 s llama-3.1-8b on h100, ~12+34 tokens (req-6fwfju-1)',
  )
})

test('the longest names stay on a line, and what clients write moves no cursor', () => {
  const long = 'a'.repeat(150)
  const text = accessText({
    ...entry,
    answeredModel: long,
    endpoint: long,
    requestId: 'req-6fwfju-100000',
  })
  expect(text).toHaveLength(80)
  expect(accessText({ ...entry, answeredModel: null, model: 'a\u001b[2Jb\n' })).toContain('a?[2Jb?')
  expect(accessText({ ...entry, answeredModel: null, model: 'a\u202eb\u2028c' })).toContain('a?b?c')
})
