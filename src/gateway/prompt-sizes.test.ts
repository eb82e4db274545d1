import { expect, test } from 'vitest'
import { modelName } from '#core/ids.ts'
import { bodyTextOf } from '#gateway/body-text.ts'
import { PromptSizes } from '#gateway/prompt-sizes.ts'
import { RequestBody } from '#gateway/request-body.ts'

const model = modelName('m')

test('a prompt has a token for four bytes until an engine says otherwise, of its model alone', () => {
  const sizes = new PromptSizes()
  const text = { textBytes: 3_000, pictures: 0 }
  expect(sizes.tokens(model, text)).toBe(750)
  for (let answer = 0; answer < 200; answer++) sizes.learn(model, text, 1_500)
  expect(sizes.tokens(model, text)).toBeCloseTo(1_500, -2)
  expect(sizes.tokens(modelName('other'), text)).toBe(750)
})

test('a picture is some hundred tokens, and teaches nothing about text', () => {
  const sizes = new PromptSizes()
  const picture = `{"url":"data:image/png;base64,${'A'.repeat(400_000)}"}`
  const body = Buffer.from(`[${picture},${picture},"${'a'.repeat(4_000)}"]`)
  const tokens = sizes.tokens(model, bodyTextOf(body))
  expect(tokens).toBeGreaterThan(2_900)
  expect(tokens).toBeLessThan(3_200)
  sizes.learn(model, bodyTextOf(body), 100)
  expect(sizes.bytesPerToken(model)).toBe(4)
})

test('what an engine counts of something else than text is not believed', () => {
  const sizes = new PromptSizes()
  sizes.learn(model, { textBytes: 100_000, pictures: 0 }, 1)
  sizes.learn(model, { textBytes: 10, pictures: 0 }, 10_000)
  sizes.learn(model, { textBytes: 10, pictures: 0 }, 0)
  expect(sizes.bytesPerToken(model)).toBe(4)
})

test('a body is read for its text once, however often it is asked for', () => {
  const bytes = Buffer.alloc(100_000, 'a')
  const body = new RequestBody(bytes, null, bytes.length)
  expect(body.text).toEqual({ textBytes: 100_000, pictures: 0 })
  expect(body.text).toBe(body.text)
})
