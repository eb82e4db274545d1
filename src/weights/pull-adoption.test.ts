import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { madeWeights, sha256Of } from '#testing/test-hub.ts'
import {
  bench,
  expectWhole,
  hashOfFile,
  hub,
  mib,
  model,
  repositories,
} from '#weights/test-pull.ts'

test.each([
  {
    program: 'Hugging Face',
    path: `.cache/huggingface/hub/models--motley--tiny-GGUF/blobs/${sha256Of(model)}`,
  },
  { program: 'Ollama', path: `.ollama/models/blobs/sha256-${sha256Of(model)}` },
  { program: 'LM Studio', path: '.lmstudio/models/motley/tiny-GGUF/tiny-Q4_K_M.gguf' },
])('what $program has is adopted without a copy', async ({ program, path }) => {
  const { url } = await hub({ repositories })
  const each = await bench(url)
  const file = join(each.home, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, model.read(0, model.sizeBytes))
  expect(await expectWhole(each)).toMatchObject({
    transferredBytes: 0,
    adoptedBytes: model.sizeBytes,
  })
  expect(each.events).toContainEqual(expect.objectContaining({ from: program, action: 'hashing' }))
  const blob = join(each.store.directory, 'blobs', `sha256-${sha256Of(model)}`)
  expect(statSync(blob).ino).toBe(statSync(file).ino)
  // Deleting the model leaves the other program its file.
  const [stored] = await each.store.models()
  if (stored !== undefined) await each.store.removeModel(stored)
  expect(hashOfFile(file)).toBe(sha256Of(model))
})

test('a damaged file in a cache is left alone, and downloaded', async () => {
  const { url } = await hub({ repositories })
  const each = await bench(url)
  const file = join(each.home, '.ollama/models/blobs', `sha256-${sha256Of(model)}`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, Buffer.alloc(model.sizeBytes))
  expect(await expectWhole(each)).toMatchObject({ transferredBytes: model.sizeBytes })
  expect(each.notes()).toEqual([expect.stringMatching(/of Ollama is not what it is called/)])
})

test('a plain web server: resumed by its ETag, and a hash in the link is held to', async () => {
  const content = madeWeights(12 * mib, 11)
  const started = await hub({ repositories: { 'a/one': { files: { 'x.gguf': content } } } })
  const address = `${started.contentUrl}/${sha256Of(content)}`
  started.faults.push({ kind: 'cut', afterBytes: mib }, { kind: 'cut', afterBytes: mib })
  const each = await bench(started.url)
  expect(await expectWhole(each, address)).toMatchObject({ transferredBytes: 12 * mib })
  await expect(each.pull(`${address}#sha256=${'0'.repeat(64)}`)).rejects.toThrow(
    /promised was 0000/,
  )
})
