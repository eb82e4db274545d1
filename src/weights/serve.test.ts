import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { hastyClock } from '#testing/hasty-clock.ts'
import { madeWeights, sha256Of, starts, startTestHub } from '#testing/test-hub.ts'
import { openHttpClient } from '#weights/http-client.ts'
import { pullWeights } from '#weights/pull.ts'
import { parseReference } from '#weights/reference.ts'
import { answerWeights, sendWeightsAnswer } from '#weights/serve.ts'
import { openStore, type WeightsStore } from '#weights/store.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

const mib = 1024 * 1024
const content = madeWeights(2 * mib, 21)
const sha256 = sha256Of(content)
const reference = 'hf:motley/tiny-GGUF:Q4_K_M'

async function emptyStore(): Promise<WeightsStore> {
  const folder = await mkdtemp(join(tmpdir(), 'motley-node-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return openStore(folder)
}

async function fullStore(): Promise<WeightsStore> {
  const store = await emptyStore()
  mkdirSync(store.directory, { recursive: true })
  const path = join(store.directory, 'new')
  writeFileSync(path, content.read(0, content.sizeBytes))
  await store.addBlob(path, sha256)
  await store.addModel({
    reference,
    version: null,
    pulledMs: 0,
    files: [{ path: 'tiny-Q4_K_M.gguf', sha256, sizeBytes: content.sizeBytes }],
  })
  return store
}

/** A node of the fleet, as the agent will run it; counts the content it sends. */
async function startNode(store: WeightsStore) {
  const sent = { blobs: 0 }
  const server = createServer(async (request, response) => {
    const path = request.url ?? ''
    const { range } = request.headers
    const ifRange = request.headers['if-range']?.toString()
    const answer = await answerWeights(
      { method: request.method ?? '', path, range, ifRange },
      store,
    )
    if (answer === null) response.writeHead(404).end()
    else {
      if (answer.body.kind === 'file') sent.blobs += 1
      await sendWeightsAnswer(response, answer)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sent }
}

async function pull(text: string, store: WeightsStore, nodes: readonly string[], hubUrl: string) {
  const http = openHttpClient({ connectMs: 500 })
  cleanups.push(() => http.close())
  const notes: string[] = []
  const result = await pullWeights(parseReference(text), {
    http,
    hubUrl,
    hubToken: null,
    nodeHeaders: {},
    clock: hastyClock(),
    chance: () => 0,
    signal: new AbortController().signal,
    store,
    caches: [],
    nodes,
    onEvent: (event) => {
      if (event.kind === 'note') notes.push(event.text)
    },
  })
  return { ...result, notes }
}

async function hub() {
  const started = await startTestHub({
    repositories: { 'motley/tiny-GGUF': { files: { 'tiny-Q4_K_M.gguf': content } } },
  })
  cleanups.push(() => started.close())
  return started
}

test.each([
  { range: undefined, status: 200, begin: 0, end: 2 * mib },
  { range: 'bytes=100-199', status: 206, begin: 100, end: 200 },
  { range: 'bytes=100-', status: 206, begin: 100, end: 2 * mib },
  { range: 'bytes=-100', status: 206, begin: 2 * mib - 100, end: 2 * mib },
  { range: 'bytes=0-99999999', status: 206, begin: 0, end: 2 * mib },
  { range: 'bytes=0-1,5-6', status: 200, begin: 0, end: 2 * mib },
])('$range is answered with $begin to $end', async ({ range, status, begin, end }) => {
  const store = await fullStore()
  const path = `/weights/${sha256}`
  const answer = await answerWeights({ method: 'GET', path, range, ifRange: undefined }, store)
  expect(answer).toMatchObject({
    status,
    headers: { 'content-length': end - begin, etag: `"${sha256}"` },
    body: { kind: 'file', begin, end },
  })
})

test.each([
  { method: 'GET', path: '/other', range: undefined, status: undefined },
  { method: 'POST', path: '/weights', range: undefined, status: 405 },
  { method: 'GET', path: `/weights/${'0'.repeat(64)}`, range: undefined, status: 404 },
  { method: 'GET', path: '/weights/../manifests', range: undefined, status: 404 },
  { method: 'GET', path: `/weights/${sha256}`, range: `bytes=${2 * mib}-`, status: 416 },
])('$method $path $range is answered with $status', async ({ status, ...request }) => {
  const answer = await answerWeights({ ...request, ifRange: undefined }, await fullStore())
  expect(answer?.status).toBe(status)
})

test('a node that has the weights is asked before the hub', async () => {
  const node = await startNode(await fullStore())
  const { url, sentBytes } = await hub()
  const store = await emptyStore()
  expect(await pull(reference, store, [node.url], url)).toMatchObject({
    transferredBytes: 2 * mib,
    notes: [],
  })
  expect({ fromNode: node.sent.blobs > 0, fromHub: sentBytes }).toEqual({
    fromNode: true,
    fromHub: 0,
  })
})

test('a node that is off, or lies about its weights, costs a note and no pull', async () => {
  const store = await fullStore()
  const lie = Buffer.concat([starts.gguf, Buffer.alloc(2 * mib - starts.gguf.length)])
  writeFileSync(join(store.directory, 'blobs', `sha256-${sha256}`), lie)
  const liar = await startNode(store)
  const { url } = await hub()
  const { model, notes } = await pull(
    reference,
    await emptyStore(),
    ['http://127.0.0.1:9', liar.url],
    url,
  )
  expect(model.files[0]?.sha256).toBe(sha256)
  expect(notes).toEqual([
    expect.stringMatching(/127.0.0.1:9 refuses the connection.*; going on without it/),
    expect.stringMatching(/has the hash .*; trying 127.0.0.1/),
  ])
})

test('node: names weights as the node knows them, or by their hash', async () => {
  const node = await startNode(await fullStore())
  const host = new URL(node.url).host
  const store = await emptyStore()
  const byName = await pull(`node:${host}/${reference}`, store, [], 'http://unused.example')
  expect(byName.model.files).toEqual([
    { path: 'tiny-Q4_K_M.gguf', sha256, sizeBytes: content.sizeBytes },
  ])
  const byHash = await pull(`node:${host}/sha256-${sha256}`, store, [], 'http://unused.example')
  expect(byHash.transferredBytes).toBe(0)
  await expect(
    pull(`node:${host}/hf:motley/tiny-GGUF:Q8_0`, store, [], 'http://unused.example'),
  ).rejects.toThrow(/has no hf:motley\/tiny-GGUF:Q8_0; near it: hf:motley\/tiny-GGUF:Q4_K_M/)
})
