import { expect, test } from 'vitest'
import { modelName } from '#core/ids.ts'
import { PromptSizes } from '#gateway/prompt-sizes.ts'

const model = modelName('m')

test('a prompt has a token for four bytes until an engine says otherwise, of its model alone', () => {
  const sizes = new PromptSizes()
  const body = Buffer.alloc(3_000, 'a')
  expect(sizes.tokens(model, body)).toBe(750)
  for (let answer = 0; answer < 200; answer++) sizes.learn(model, body, 1_500)
  expect(sizes.tokens(model, body)).toBeCloseTo(1_500, -2)
  expect(sizes.tokens(modelName('other'), body)).toBe(750)
})

test('a picture is some hundred tokens, and teaches nothing about text', () => {
  const sizes = new PromptSizes()
  const picture = `{"url":"data:image/png;base64,${'A'.repeat(400_000)}"}`
  const body = Buffer.from(`[${picture},${picture},"${'a'.repeat(4_000)}"]`)
  const tokens = sizes.tokens(model, body)
  expect(tokens).toBeGreaterThan(2_900)
  expect(tokens).toBeLessThan(3_200)
  sizes.learn(model, body, 100)
  expect(sizes.bytesPerToken(model)).toBe(4)
})

test('what an engine counts of something else than text is not believed', () => {
  const sizes = new PromptSizes()
  sizes.learn(model, Buffer.alloc(100_000), 1)
  sizes.learn(model, Buffer.alloc(10), 10_000)
  sizes.learn(model, Buffer.alloc(10), 0)
  expect(sizes.bytesPerToken(model)).toBe(4)
})
