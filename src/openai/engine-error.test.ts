import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errorMessageIn, isContextOverflow } from '#openai/engine-error.ts'

test.each([
  ['OpenAI', '{"error":{"message":"no such model","type":"x"}}', 'no such model'],
  ['Ollama', '{"error":"model \\"x\\" not found"}', 'model "x" not found'],
  ['SGLang', '{"object":"error","message":"too long","code":400}', 'too long'],
  ['Anthropic', '{"type":"error","error":{"type":"y","message":"no"}}', 'no'],
  ['FastAPI', '{"detail":"Not Found"}', 'Not Found'],
  ['FastAPI, invalid', '{"detail":[{"loc":["body"],"msg":"field required"}]}', 'field required'],
  ['plain text', 'Internal\r\n  Server Error\n', 'Internal Server Error'],
])('the message of %s is found', (_engine, body, message) => {
  expect(errorMessageIn(body)).toBe(message)
})

test('a long message is kept whole', () => {
  const message = `${'w'.repeat(4_000)}END`
  expect(errorMessageIn(JSON.stringify({ message }))).toBe(message)
})

test.each([
  ['nothing', ''],
  ['blanks', ' \n'],
  ['a page', `<html>${'x'.repeat(600)}</html>`],
  ['an object without words', '{"code":400}'],
  ['an error that is a number', '{"error":5}'],
  ['an empty list of details', '{"detail":[]}'],
  ['a detail that is null', '{"detail":[null]}'],
])('%s has no message', (_what, body) => {
  expect(errorMessageIn(body)).toBeNull()
})

const overflows = readdirSync('fixtures/engines')
  .map((engine) => `fixtures/engines/${engine}/wire/context-length.json`)
  .filter((path) => existsSync(path))

test('there are recordings of engines whose context is too short', () => {
  expect(overflows.length).toBeGreaterThan(2)
})

test.each(overflows)('%s is seen to be a context that is too short', (path) => {
  const { status, body } = JSON.parse(readFileSync(path, 'utf8'))
  expect(isContextOverflow(status, body)).toBe(true)
})

test.each([
  [400, '{"error":{"message":"\\"temperature\\" must be below 2"}}'],
  [404, '{"error":{"message":"no model with this context length"}}'],
  [500, '{"error":{"message":"maximum context length"}}'],
])('a %i with %s is something else', (status, body) => {
  expect(isContextOverflow(status, body)).toBe(false)
})
