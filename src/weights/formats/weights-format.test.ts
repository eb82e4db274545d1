import { deflateRawSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type WeightsFormat, weightsFormats } from '#core/engine-build.ts'
import { starts } from '#testing/test-hub.ts'
import { fileKindOf } from '#weights/formats/file-kind.ts'
import { strangeness, weightsFormatOf } from '#weights/formats/weights-format.ts'

const { gguf, safetensors } = starts
const ggml = Buffer.from('lmgg\x01\0\0\0', 'latin1')
const ctranslate2 = Buffer.from('\x06\0\0\0\x0c\0WhisperSpec\0\x03\0\0\0', 'latin1')
const ir = Buffer.from('<?xml version="1.0"?>\n<net name="main_graph" version="11">')
const zip = Buffer.concat([Buffer.from('PK\x03\x04\x14\0', 'latin1'), deflateRawSync('x')])
const numbers = Buffer.alloc(512, 0x81)
const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const page = Buffer.from('\n<!DOCTYPE html>\n<html><head><title>Sign in</title>')

type Files = Readonly<Record<string, Buffer>>
const started = (files: Files) => Object.entries(files).map(([path, start]) => ({ path, start }))

const examples: readonly { readonly format: WeightsFormat; readonly files: Files }[] = [
  { format: 'gguf', files: { 'a.gguf': gguf } },
  { format: 'gguf', files: { weights: gguf } },
  { format: 'safetensors', files: { 'model.safetensors': safetensors, 'config.json': json({}) } },
  {
    format: 'safetensors',
    files: {
      'model.safetensors': safetensors,
      'config.json': json({ quantization_config: { quant_method: 'awq', bits: 4 } }),
    },
  },
  {
    format: 'mlx',
    files: {
      'model.safetensors': safetensors,
      'config.json': json({ quantization: { group_size: 64, bits: 4 } }),
    },
  },
  { format: 'openvino', files: { 'openvino_model.xml': ir, 'openvino_model.bin': numbers } },
  { format: 'ggml', files: { 'ggml-base.bin': ggml } },
  { format: 'ctranslate2', files: { 'model.bin': ctranslate2, 'config.json': json({}) } },
  {
    format: 'kokoro',
    files: { 'kokoro-v1_0.pth': zip, 'config.json': json({}), 'voices/af_heart.pt': zip },
  },
  { format: 'xtts', files: { 'model.pth': zip, 'config.json': json({}), 'vocab.json': json({}) } },
]

test.each(examples)('$files is $format', ({ format, files }) => {
  expect(started(files).map(strangeness)).toEqual(started(files).map(() => null))
  expect(weightsFormatOf(started(files))).toBe(format)
})

test('every format is known by its files; what is in the store of Ollama is not looked into', () => {
  const known = new Set(examples.map(({ format }) => format))
  expect(weightsFormats.filter((format) => !known.has(format))).toEqual(['ollama'])
})

test.each<{ path: string; start: Buffer; says: RegExp }>([
  { path: 'a.gguf', start: page, says: /^is an HTML page, no model: the link is to a page/ },
  { path: 'weights', start: page, says: /^is an HTML page/ },
  { path: 'a.gguf', start: zip, says: /^is a ZIP archive, no model: engines read GGUF/ },
  { path: 'model.zip', start: zip, says: /^is a ZIP archive/ },
  { path: 'model.tar.gz', start: gzipSync('x'), says: /^is a gzip archive, no model: unpack it/ },
  { path: 'a.gguf', start: json({ error: 'gone' }), says: /^is JSON, no model$/ },
  { path: 'a.gguf', start: Buffer.alloc(0), says: /^is empty, no model$/ },
  { path: 'paper.pdf', start: Buffer.from('%PDF-1.7'), says: /^is a PDF document/ },
  {
    path: 'model.safetensors',
    start: Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'),
    says: /^is a pointer of Git LFS and not the file itself, no model: "git lfs pull"/,
  },
  { path: 'a.gguf', start: safetensors, says: /^is called \.gguf and is safetensors/ },
  { path: 'a.safetensors', start: numbers, says: /^is called \.safetensors and is something else/ },
])('$path is refused: $says', ({ path, start, says }) => {
  expect(strangeness({ path, start })).toMatch(says)
})

test.each<{ files: Files }>([
  { files: { 'pytorch_model.bin': zip, 'config.json': json({}) } },
  { files: { 'model.bin': ctranslate2 } },
  { files: { 'openvino_model.xml': ir } },
  { files: { 'model.onnx': numbers } },
  { files: {} },
])('no engine reads $files', ({ files }) => {
  expect(weightsFormatOf(started(files))).toBeNull()
})

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      expect(fileKindOf(Buffer.from(bytes)).kind).toBeTypeOf('string')
    }),
  )
})
