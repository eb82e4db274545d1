import { expect, test } from 'vitest'
import { type HubReference, parseReference } from '#weights/reference.ts'
import { chooseFiles, quantizationOf } from '#weights/sources/hub-files.ts'

const chosen = (reference: string, paths: readonly string[]): string[] =>
  chooseFiles(
    paths.map((path) => ({ path, sizeBytes: 1 })),
    parseReference(reference) as HubReference,
  ).map(({ path }) => path)

test.each([
  { path: 'Qwen3-8B-Q4_K_M.gguf', quantization: 'Q4_K_M' },
  { path: 'qwen3-8b-q8_0.gguf', quantization: 'Q8_0' },
  { path: 'Q4_K_M/Big-Q4_K_M-00001-of-00002.gguf', quantization: 'Q4_K_M' },
  { path: 'Qwen3-30B-A3B-UD-Q4_K_XL.gguf', quantization: 'UD-Q4_K_XL' },
  { path: 'model-IQ2_XXS.gguf', quantization: 'IQ2_XXS' },
  { path: 'gpt-oss-20b-mxfp4.gguf', quantization: 'MXFP4' },
  { path: 'model.BF16.gguf', quantization: 'BF16' },
  { path: 'model.gguf', quantization: null },
])('$path is $quantization', ({ path, quantization }) => {
  expect(quantizationOf(path)).toBe(quantization)
})

const split = ['a-Q8_0-00001-of-00002.gguf', 'a-Q8_0-00002-of-00002.gguf']
const ggufs = ['README.md', 'a-Q4_K_M.gguf', 'a-Q5_K_M.gguf', ...split, 'a.imatrix.gguf']

test.each([
  { reference: 'hf:o/r:q8_0', paths: ggufs, files: split },
  { reference: `hf:o/r/${split[1]}`, paths: ggufs, files: split },
  { reference: 'hf:o/r', paths: ggufs, files: ['a-Q4_K_M.gguf'] },
  { reference: 'hf:o/r', paths: ['only-Q6_K.gguf'], files: ['only-Q6_K.gguf'] },
  {
    reference: 'hf:o/r:Q4_K_M',
    paths: ['a-Q4_K_M.gguf', 'mmproj-a-BF16.gguf', 'mmproj-a-F16.gguf'],
    files: ['a-Q4_K_M.gguf', 'mmproj-a-F16.gguf'],
  },
  {
    reference: 'hf:o/r',
    paths: [
      'config.json',
      'model.safetensors',
      'consolidated.safetensors',
      'onnx/model.safetensors',
      'original/params.json',
      'pytorch_model.bin',
      'modeling_x.py',
      '1_Pooling/config.json',
      'a-Q4_K_M.gguf',
    ],
    files: ['config.json', 'model.safetensors', '1_Pooling/config.json'],
  },
  {
    reference: 'hf:o/r',
    paths: ['openvino_model.bin', 'openvino_model.xml', 'config.json', 'README.md', 'other.bin'],
    files: ['openvino_model.bin', 'openvino_model.xml', 'config.json'],
  },
  {
    reference: 'hf:o/r',
    paths: ['model.bin', 'vocabulary.txt', 'tokenizer.json', 'config.json', 'README.md'],
    files: ['model.bin', 'vocabulary.txt', 'tokenizer.json', 'config.json'],
  },
  {
    reference: 'hf:o/r',
    paths: ['ggml-base.bin', 'ggml-base-encoder.mlmodelc.zip', 'README.md'],
    files: ['ggml-base.bin'],
  },
  {
    reference: 'hf:o/r/ggml-base-q5_1.bin',
    paths: ['ggml-base.bin', 'ggml-base-q5_1.bin'],
    files: ['ggml-base-q5_1.bin'],
  },
  {
    reference: 'hf:o/r',
    paths: ['config.json', 'kokoro-v1_0.pth', 'voices/af_heart.pt', 'samples/a.wav', 'EVAL.md'],
    files: ['config.json', 'kokoro-v1_0.pth', 'voices/af_heart.pt'],
  },
  {
    reference: 'hf:o/r',
    paths: [
      ...['README.md', 'LICENSE.txt', 'config.json', 'dvae.pth', 'hash.md5', 'mel_stats.pth'],
      ...['model.pth', 'samples/en_sample.wav', 'speakers_xtts.pth', 'vocab.json'],
    ],
    files: [
      ...['config.json', 'hash.md5', 'model.pth', 'samples/en_sample.wav', 'speakers_xtts.pth'],
      'vocab.json',
    ],
  },
  {
    reference: 'hf:o/r/v2',
    paths: ['v2/model.pth', 'v2/vocab.json', 'v2/config.json', 'v2/dvae.pth', 'v1/model.pth'],
    files: ['v2/model.pth', 'v2/vocab.json', 'v2/config.json'],
  },
  {
    reference: 'hf:o/r/fp8',
    paths: ['config.json', 'fp8/config.json', 'fp8/model.safetensors', 'fp8/notes.md'],
    files: ['fp8/config.json', 'fp8/model.safetensors'],
  },
])('$reference of $paths is $files', ({ reference, paths, files }) => {
  expect(chosen(reference, paths)).toEqual(files)
})

test.each([
  { reference: 'hf:o/r:Q2_K', paths: ggufs, says: /o\/r has no Q2_K; it has Q4_K_M, Q5_K_M, Q8_0/ },
  {
    reference: 'hf:o/r',
    paths: ['a-Q5_K_M.gguf', 'a-Q8_0.gguf'],
    says: /no Q4_K_M, which is the default; choose one of Q5_K_M, Q8_0, as hf:o\/r:Q5_K_M/,
  },
  { reference: 'hf:o/r', paths: ['pytorch_model.bin'], says: /only pickled weights/ },
  {
    reference: 'hf:o/r',
    paths: ['ggml-base.bin', 'ggml-small.bin', 'README.md'],
    says: /o\/r has 2 models; name one, as hf:o\/r\/ggml-base\.bin: ggml-base\.bin, ggml-small/,
  },
  {
    reference: 'hf:o/r',
    paths: ['config.json', 'kokoro-v1_0.pth', 'kokoro-v0_19.pth'],
    says: /name one, as hf:o\/r\/kokoro-v1_0\.pth/,
  },
  { reference: 'hf:o/r', paths: ['model.pth'], says: /only pickled weights/ },
  { reference: 'hf:o/r', paths: ['README.md'], says: /no model that an engine reads/ },
  { reference: 'hf:o/r:Q4_K_M', paths: ['model.safetensors'], says: /leave out :Q4_K_M/ },
  {
    reference: `hf:o/r/${split[0]}`,
    paths: [split[0] ?? ''],
    says: /one of 2 parts, and only 1 are there/,
  },
])('$reference of $paths is refused', ({ reference, paths, says }) => {
  expect(() => chosen(reference, paths)).toThrow(says)
})
