import { once } from 'node:events'
import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sha256Of, textContent } from '#testing/test-hub.ts'
import {
  afterTest,
  bench,
  blobsOf,
  expectNothingKept,
  hub,
  page,
  repositories,
} from '#weights/test-pull.ts'

test('a page in place of weights is refused by its first bytes, and nothing of it is kept', async () => {
  const content = textContent(page)
  const started = await hub({ repositories: { 'a/one': { files: { 'x.gguf': content } } } })
  const each = await bench(started.url)
  const { host } = new URL(started.contentUrl)
  await expect(each.pull(`${started.contentUrl}/${sha256Of(content)}`)).rejects.toThrow(
    `${host}/${sha256Of(content)} is an HTML page, no model: the link is to a page and not to the file`,
  )
  await expectNothingKept(each)
  expect(started.sentBytes).toBeLessThan(content.sizeBytes / 2)
})

test.each([
  { name: 'small.gguf', bytes: Buffer.from('<html></html>'), says: /is an HTML page, no model/ },
  { name: 'model.zip', bytes: Buffer.from('PK\x03\x04\x14\0'), says: /is a ZIP archive/ },
  { name: 'pytorch_model.bin', bytes: Buffer.from('PK\x03\x04\x14\0'), says: /no model that an/ },
  { name: 'notes.txt', bytes: Buffer.from('hello'), says: /is no model that an engine reads/ },
])('$name, from a server or from this machine, is no model', async ({ name, bytes, says }) => {
  const server = createServer((_request, response) => response.end(bytes))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterTest(() => server.close())
  const each = await bench('http://unused.example')
  const { port } = server.address() as AddressInfo
  await expect(each.pull(`http://127.0.0.1:${port}/${name}`)).rejects.toMatchObject({
    code: 'bad_file',
    message: expect.stringMatching(says),
  })
  await expectNothingKept(each)
  const path = join(each.home, name)
  writeFileSync(path, bytes)
  await expect(each.pull(`file:${path}`)).rejects.toMatchObject({ code: 'bad_file' })
  await expectNothingKept(each)
  expect(readFileSync(path)).toEqual(bytes)
})

test('what is no model leaves the content that another model has', async () => {
  const { url } = await hub({ repositories })
  const each = await bench(url)
  const { folder } = await each.pull('hf:motley/tiny-GGUF:Q8_0')
  const wrong = join(each.home, 'x.safetensors')
  linkSync(join(folder, 'tiny-Q8_0.gguf'), wrong)
  await expect(each.pull(`file:${wrong}`)).rejects.toThrow(/is called .safetensors and is gguf/)
  expect(await each.store.models()).toHaveLength(1)
  expect(await blobsOf(each)).toHaveLength(1)
})

test('a folder of another format is a model when its files are', async () => {
  const each = await bench('http://unused.example')
  const folder = join(each.home, 'whisper-ov')
  mkdirSync(folder)
  writeFileSync(join(folder, 'openvino_model.xml'), '<?xml version="1.0"?><net name="m">')
  await expect(each.pull(`file:${folder}`)).rejects.toThrow(/has no model that an engine reads/)
  await expectNothingKept(each)
  writeFileSync(join(folder, 'openvino_model.bin'), Buffer.alloc(64))
  expect(await each.pull(`file:${folder}`)).toMatchObject({ format: 'openvino' })
})
