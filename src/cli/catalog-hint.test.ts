import { expect, test } from 'vitest'
import { aliasOf, catalogHint, readReference } from '#cli/catalog-hint.ts'

test.each([
  ['llama-3.1-8b', /a model of the catalogue, .* name one, as hf:.*:Q4_K_M; "motley fit llama-3/],
  ['mistral-7b', /an alias of mistral-7b-v0\.3 in the catalogue/],
  ['llama-3.1-8b:Q8_0', /name one, as hf:.*:Q8_0/],
  ['llama3.1-8b', /did you mean llama-3\.1-8b\?/],
])('weights that are asked for as %s are answered with what there is', (text, says) => {
  expect(() => readReference(text)).toThrow(says)
})

test('what is like no model of the catalogue is told how references are written', () => {
  expect(catalogHint('warehouse')).toBeNull()
  expect(() => readReference('warehouse')).toThrow('write hf:owner/repo')
})

test('a reference is read as it is', () => {
  expect(readReference('hf:owner/repo:Q4_K_M')).toMatchObject({ kind: 'hf' })
})

test('the name proper of a model is no alias', () => {
  expect(aliasOf('llama-3.3-70b')).toBeNull()
  expect(aliasOf('Mistral-7b')).toBe('mistral-7b-v0.3')
})
