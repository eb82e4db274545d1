import { homedir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  isSafePath,
  parseReference,
  referenceText,
  type WeightsReference,
} from '#weights/reference.ts'
import { WeightsError } from '#weights/weights-error.ts'

const hub = { kind: 'hf', owner: 'Qwen', repo: 'Qwen3-8B-GGUF' } as const
const nothing = { revision: null, path: null, quantization: null }
const hex = 'ab'.repeat(32)

test.each<{ text: string; reference: WeightsReference; canonical?: string }>([
  { text: 'hf:Qwen/Qwen3-8B-GGUF', reference: { ...hub, ...nothing } },
  {
    text: 'hf:Qwen/Qwen3-8B-GGUF:Q4_K_M',
    reference: { ...hub, ...nothing, quantization: 'Q4_K_M' },
  },
  {
    text: 'hf:Qwen/Qwen3-8B-GGUF@v1.0:UD-Q4_K_XL',
    reference: { ...hub, revision: 'v1.0', path: null, quantization: 'UD-Q4_K_XL' },
  },
  {
    text: 'hf:Qwen/Qwen3-8B-GGUF@main/Q8_0/model-00001-of-00002.gguf',
    reference: {
      ...hub,
      revision: 'main',
      path: 'Q8_0/model-00001-of-00002.gguf',
      quantization: null,
    },
  },
  {
    text: 'hf:Qwen/Qwen3-8B-GGUF@refs/pr/7/a.gguf',
    reference: { ...hub, revision: 'refs/pr/7', path: 'a.gguf', quantization: null },
    canonical: 'hf:Qwen/Qwen3-8B-GGUF@refs%2Fpr%2F7/a.gguf',
  },
  {
    text: 'https://example.com/a/b.gguf?x=1',
    reference: { kind: 'http', url: 'https://example.com/a/b.gguf?x=1', sha256: null },
  },
  {
    text: `http://box/b.gguf#sha256=${hex}`,
    reference: { kind: 'http', url: 'http://box/b.gguf', sha256: hex },
  },
  { text: 'file:/models/x.gguf', reference: { kind: 'file', path: '/models/x.gguf' } },
  {
    text: 'file:///models/x.gguf',
    reference: { kind: 'file', path: '/models/x.gguf' },
    canonical: 'file:/models/x.gguf',
  },
  {
    text: './x.gguf',
    reference: { kind: 'file', path: '/here/x.gguf' },
    canonical: 'file:/here/x.gguf',
  },
  {
    text: '~/x.gguf',
    reference: { kind: 'file', path: join(homedir(), 'x.gguf') },
    canonical: `file:${join(homedir(), 'x.gguf')}`,
  },
  {
    text: 'node:khelben:7071/hf:Qwen/Qwen3-8B-GGUF:Q4_K_M',
    reference: {
      kind: 'node',
      url: 'http://khelben:7071',
      wanted: 'hf:Qwen/Qwen3-8B-GGUF:Q4_K_M',
    },
  },
  {
    text: `node:https://khelben:7071/sha256-${hex}`,
    reference: { kind: 'node', url: 'https://khelben:7071', wanted: `sha256-${hex}` },
  },
])('$text', ({ text, reference, canonical = text }) => {
  expect(parseReference(text, '/here')).toEqual(reference)
  expect(referenceText(reference)).toBe(canonical)
  expect(parseReference(canonical, '/here')).toEqual(reference)
})

test.each([
  { text: 'Qwen/Qwen3-8B', says: /begins with none of .*; perhaps hf:Qwen\/Qwen3-8B; write hf:/ },
  { text: 'hf:gpt2', says: /names no owner and repository/ },
  { text: 'hf:../x', says: /"\.\." is no owner/ },
  { text: 'hf:a/b@', says: /nothing follows the @/ },
  { text: 'hf:a/b:', says: /"" is no quantization/ },
  { text: 'hf:a/b/../../etc/passwd', says: /is no path of a file/ },
  { text: 'hf:a/b@%zz', says: /"%zz" is badly encoded/ },
  { text: 'https://x/y#sha256=abc', says: /is no hash/ },
  { text: 'file:', says: /names no path/ },
  { text: 'file://host/x', says: /three slashes/ },
  { text: 'node:khelben/hf:a/b', says: /names no node and port/ },
  { text: 'node:khelben:7071/qwen', says: /"qwen" names no weights/ },
])('$text is refused', ({ text, says }) => {
  expect(() => parseReference(text)).toThrow(says)
})

test('any text gives a reference that reads back, or a WeightsError', () => {
  const start = fc.constantFrom('hf:', 'hf:a/b', 'hf:a/b@', 'https://', 'file:', 'node:h:1/', '')
  fc.assert(
    fc.property(start, fc.string(), (prefix, rest) => {
      let reference: WeightsReference
      try {
        reference = parseReference(prefix + rest, '/here')
      } catch (error) {
        expect(error).toBeInstanceOf(WeightsError)
        return
      }
      if (reference.kind === 'hf' && reference.path !== null) {
        expect(isSafePath(reference.path)).toBe(true)
      }
    }),
  )
})
