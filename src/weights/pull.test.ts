import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { seededChance } from '#std/seeded-chance.ts'
import { commit, madeWeights, sha256Of, textContent } from '#testing/test-hub.ts'
import { hashFile } from '#weights/content-hash.ts'
import {
  afterTest,
  bench,
  blobsOf,
  expectNothingListed,
  hashOfFile,
  hub,
  mib,
  model,
  repositories,
  repository,
} from '#weights/test-pull.ts'

test('one quantization of a repository is pulled, hashed, and found under its name', async () => {
  const { url, requests } = await hub({ repositories, pageLength: 2 })
  const each = await bench(url)
  const { model: stored, folder, transferredBytes } = await each.pull('hf:motley/tiny-GGUF:q4_k_m')
  expect(stored).toMatchObject({
    reference: 'hf:motley/tiny-GGUF:q4_k_m',
    version: commit,
    files: [{ path: 'tiny-Q4_K_M.gguf', sha256: sha256Of(model), sizeBytes: model.sizeBytes }],
  })
  expect(hashOfFile(join(folder, 'tiny-Q4_K_M.gguf'))).toBe(sha256Of(model))
  expect(transferredBytes).toBe(model.sizeBytes)
  expect(await each.store.models()).toEqual([stored])
  expect(await readdir(join(each.store.directory, 'partial'))).toEqual([])
  expect(requests.filter(({ path }) => path.includes('/tree/'))).toHaveLength(2)
})

test('a second pull transfers nothing, and another name for the same content neither', async () => {
  const { url } = await hub({
    repositories: { ...repositories, 'motley/copy-GGUF': { files: { 'copy.gguf': model } } },
  })
  const each = await bench(url)
  await each.pull('hf:motley/tiny-GGUF:Q4_K_M')
  expect(await each.pull('hf:motley/tiny-GGUF:Q4_K_M')).toMatchObject({ transferredBytes: 0 })
  expect(await each.pull('hf:motley/copy-GGUF')).toMatchObject({ transferredBytes: 0 })
  expect(await blobsOf(each)).toEqual([`sha256-${sha256Of(model)}`])
  expect(await each.store.models()).toHaveLength(2)
})

test('safetensors come with what engines read beside them, and small files are hashed as git does', async () => {
  const files = {
    'config.json': textContent('{"a": 1}'),
    'tokenizer.json': textContent('{}'),
    'run.py': textContent('import os'),
    'pytorch_model.bin': textContent('a pickle'),
    'model-00001-of-00002.safetensors': madeWeights(mib, 4, 'safetensors'),
    'model-00002-of-00002.safetensors': madeWeights(mib, 5, 'safetensors'),
  }
  const { url } = await hub({ repositories: { 'motley/st': { files } } })
  const each = await bench(url)
  const { model: stored, folder } = await each.pull('hf:motley/st')
  expect(stored.files.map(({ path }) => path)).toEqual([
    'config.json',
    'tokenizer.json',
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
  ])
  expect(readFileSync(join(folder, 'config.json'), 'utf8')).toBe('{"a": 1}')
  expect(await each.pull('hf:motley/st')).toMatchObject({ transferredBytes: 0 })
})

test('the token goes to the hub and to nobody else', async () => {
  const { url, requests } = await hub({
    repositories: { 'motley/gated': { ...repository, gatedToken: 'hf_secret' } },
  })
  const each = await bench(url, { hubToken: 'hf_secret' })
  await each.pull('hf:motley/gated:Q8_0')
  const byServer = (server: string) =>
    new Set(requests.filter((request) => request.server === server).map((r) => r.authorization))
  expect(byServer('hub')).toEqual(new Set(['Bearer hf_secret']))
  expect(byServer('content')).toEqual(new Set([undefined]))
})

/** Everything but the fault is as ever: the right bytes arrive. */
test('a file that changes in the middle of a download starts over, and is never mixed', async () => {
  const versions = [madeWeights(12 * mib, 11), madeWeights(12 * mib, 12)]
  let asked = 0
  const server = createServer((request, response) => {
    if (request.method === 'GET') asked += 1
    // The first answer breaks off; from then on there is a new version.
    const version = asked <= 1 ? 0 : 1
    const content = versions[version] ?? textContent('')
    const etag = `"v${version}"`
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const isPart = from !== undefined && (request.headers['if-range'] ?? etag) === etag
    const begin = isPart ? Number(from) : 0
    const end = isPart ? Number(to) + 1 : content.sizeBytes
    response.writeHead(isPart ? 206 : 200, {
      etag,
      'content-length': end - begin,
      ...(isPart ? { 'content-range': `bytes ${begin}-${end - 1}/${content.sizeBytes}` } : {}),
    })
    if (request.method === 'HEAD') response.end()
    else if (version === 0) response.write(content.read(begin, mib), () => response.destroy())
    else response.end(content.read(begin, end - begin))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterTest(() => server.close())
  const each = await bench('http://unused.example')
  const { port } = server.address() as AddressInfo
  const { model: stored } = await each.pull(`http://127.0.0.1:${port}/x.gguf`)
  expect(stored.files[0]?.sha256).toBe(sha256Of(versions[1] ?? textContent('')))
})

test.each([
  {
    reference: 'hf:motley/gated:Q8_0',
    hubToken: null,
    says: /gated on .*: open .*\/motley\/gated, accept the licence and set HF_TOKEN/,
  },
  {
    reference: 'hf:motley/gated:Q8_0',
    hubToken: 'hf_other',
    says: /gated on .* with the account of your HF_TOKEN/,
  },
  {
    reference: 'hf:motley/tiny-GUFF',
    hubToken: null,
    says: /shows motley\/tiny-GUFF to nobody without a token: .*; near it: motley\/tiny-GGUF/,
  },
  {
    reference: 'hf:motley/tiny-GUFF',
    hubToken: 'hf_x',
    says: /there is no motley\/tiny-GUFF on .*; near it: motley\/tiny-GGUF/,
  },
  {
    reference: 'hf:motley/tiny-GGUF@v9',
    hubToken: null,
    says: /motley\/tiny-GGUF has no revision v9/,
  },
  {
    reference: 'hf:motley/tiny-GGUF/tiny-Q4_K_S.gguf',
    hubToken: null,
    says: /has no file tiny-Q4_K_S.gguf; near it: tiny-Q4_K_M.gguf/,
  },
  {
    reference: 'hf:motley/tiny-GGUF:Q5_K_M',
    hubToken: null,
    says: /has no Q5_K_M; it has Q4_K_M, Q8_0/,
  },
])('$reference with token $hubToken says what to do', async ({ reference, hubToken, says }) => {
  const { url } = await hub({
    repositories: { ...repositories, 'motley/gated': { ...repository, gatedToken: 'hf_secret' } },
  })
  const each = await bench(url, { hubToken })
  await expect(each.pull(reference)).rejects.toThrow(says)
  await expectNothingListed(each)
})

const wholeBytes = Number(process.env['WEIGHTS_PULL_BYTES'] ?? 64 * mib)

test(`${wholeBytes} bytes with 20 random cuts arrive whole and cost at most a tenth more`, async () => {
  const content = madeWeights(wholeBytes, 7)
  const started = await hub({ repositories: { 'motley/big': { files: { 'big.gguf': content } } } })
  const chance = seededChance(20261121)
  const cuts = Array.from({ length: 20 }, () => Math.floor(chance() * wholeBytes))
  started.cutsAt.push(...cuts.sort((one, other) => one - other))
  let seenEarly = 0
  const each = await bench(started.url, {
    onEvent: (event) => {
      each.events.push(event)
      if (existsSync(join(each.store.directory, 'blobs'))) seenEarly += 1
    },
  })
  const { folder, transferredBytes } = await each.pull('hf:motley/big')

  expect(seenEarly).toBe(0)
  expect(started.cutsAt).toEqual([])
  const { signal } = each.context
  expect(await hashFile(join(folder, 'big.gguf'), { signal })).toMatchObject({
    sha256: sha256Of(content),
    sizeBytes: wholeBytes,
  })
  expect(each.events.filter(({ kind }) => kind === 'waiting').length).toBeGreaterThanOrEqual(20)
  expect(transferredBytes).toBeLessThanOrEqual(wholeBytes * 1.1)
  // A cut also loses what lies in the buffers of its socket: at 1 GB that is within the tenth.
  const lostBytes = wholeBytes < 1e9 ? 20 * mib : 0
  expect(started.sentBytes).toBeLessThanOrEqual(wholeBytes * 1.1 + lostBytes)
  if (process.env['WEIGHTS_PULL_BYTES'] !== undefined) {
    process.stdout.write(`received ${transferredBytes}, sent ${started.sentBytes} bytes\n`)
  }
}, 600_000)
