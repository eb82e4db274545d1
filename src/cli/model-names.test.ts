import { expect, test } from 'vitest'
import { findModel, shortName } from '#cli/model-names.ts'
import { type ListedModel, modelListText } from '#cli/model-text.ts'

const named = (...references: string[]) => references.map((reference) => ({ reference }))

const llama = 'hf:bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M'

test("a model is found by its reference, or by an ending of it that is no other model's", () => {
  const models = named(llama, 'hf:other/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M', 'file:/m/a.gguf')
  expect(findModel(models, llama)?.reference).toBe(llama)
  expect(findModel(models, llama.slice(3))?.reference).toBe(llama)
  expect(findModel(models, 'a.gguf')?.reference).toBe('file:/m/a.gguf')
  expect(findModel(models, 'lama-3.1-8B-Instruct-GGUF:Q4_K_M')).toBeNull()
  expect(() => findModel(models, 'Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M')).toThrow(/write one of/)
})

test('a shortened name is an ending that is found again', () => {
  expect(shortName(named(llama), llama, 60)).toBe(llama)
  expect(shortName(named(llama), llama, 40)).toBe('Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M')
  const url = 'https://example.com/models/quite/deep/in/there/model-Q8_0.gguf#sha256=0'
  expect(shortName(named(url), url, 40)).toBe('deep/in/there/model-Q8_0.gguf#sha256=0')
})

test('where no ending would do, the whole reference is the name', () => {
  const other = llama.replace('bartowski', 'unsloth')
  expect(shortName(named(llama, other), llama, 40)).toBe(llama)
  expect(shortName(named(llama), llama, 5)).toBe(llama)
})

const listed = (reference: string): ListedModel => ({
  reference,
  sizeBytes: 4_900_000_000,
  facts: null,
  problem: null,
})

test('every name that the list shows is found again, and the list has 80 columns', () => {
  const models = [
    llama,
    llama.replace('bartowski', 'somebody-with-a-long-name'),
    'hf:Qwen/Qwen3-8B-GGUF:Q4_K_M',
  ].map(listed)
  const text = modelListText(models, [])
  expect(text).toBe(
    [
      'MODEL                                               SIZE  PARAMS  QUANT  CONTEXT',
      'bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M  4.9 GB       -  -            -',
      'hf:somebody-with-a-long-name/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M',
      '                                                  4.9 GB       -  -            -',
      'hf:Qwen/Qwen3-8B-GGUF:Q4_K_M                      4.9 GB       -  -            -',
    ].join('\n'),
  )
  const wide = modelListText(models, [], Number.POSITIVE_INFINITY)
  for (const { reference } of models) expect(wide).toContain(`${reference} `)
})
