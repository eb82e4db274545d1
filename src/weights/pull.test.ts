import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { hastyClock } from '#testing/hasty-clock.ts'
import { seededChance } from '#testing/seeded-chance.ts'
import {
  bytesContent,
  commit,
  type HubContent,
  type HubOptions,
  madeContent,
  sha256Of,
  startTestHub,
  type TestHub,
  textContent,
} from '#testing/test-hub.ts'
import { weightsCaches } from '#weights/caches/index.ts'
import { hashFile } from '#weights/content-hash.ts'
import { openHttpClient } from '#weights/http-client.ts'
import { type PullContext, type PullEvent, pullWeights } from '#weights/pull.ts'
import { parseReference } from '#weights/reference.ts'
import { openStore, type WeightsStore } from '#weights/store.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'motley-weights-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function hub(options: HubOptions): Promise<TestHub> {
  const started = await startTestHub(options)
  cleanups.push(() => started.close())
  return started
}

interface Bench {
  readonly store: WeightsStore
  readonly context: PullContext
  readonly events: PullEvent[]
  readonly home: string
  pull(reference: string): ReturnType<typeof pullWeights>
  notes(): string[]
}

async function bench(
  hubUrl: string,
  more: Partial<PullContext> = {},
  home?: string,
): Promise<Bench> {
  const folder = home ?? (await temporaryFolder())
  const store = openStore(join(folder, 'weights'))
  const http = openHttpClient()
  cleanups.push(() => http.close())
  const events: PullEvent[] = []
  const context: PullContext = {
    http,
    hubUrl,
    hubToken: null,
    nodeHeaders: {},
    clock: hastyClock(),
    chance: seededChance(1),
    signal: new AbortController().signal,
    store,
    caches: weightsCaches({ env: {}, home: folder }),
    nodes: [],
    onEvent: (event) => events.push(event),
    ...more,
  }
  return {
    store,
    context,
    events,
    home: folder,
    pull: (reference) => pullWeights(parseReference(reference), context),
    notes: () => events.flatMap((event) => (event.kind === 'note' ? [event.text] : [])),
  }
}

const mib = 1024 * 1024
const model = madeContent(3 * mib + 17, 1)
const repository = {
  files: {
    'README.md': textContent('# Tiny'),
    'config.json': textContent('{"architectures": ["X"]}'),
    'tiny-Q4_K_M.gguf': model,
    'tiny-Q8_0.gguf': madeContent(mib, 2),
  },
}
const repositories = { 'motley/tiny-GGUF': repository }

function hashOfFile(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

async function blobsOf({ store }: Bench): Promise<string[]> {
  return readdir(join(store.directory, 'blobs')).catch(() => [])
}

/** Fails unless what the store calls whole is whole. */
async function expectNothingListed(each: Bench): Promise<void> {
  expect(await each.store.models()).toEqual([])
  expect(await blobsOf(each)).toEqual([])
  expect(existsSync(join(each.store.directory, 'models'))).toBe(false)
}

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
    'pytorch_model.bin': madeContent(mib, 3),
    'model-00001-of-00002.safetensors': madeContent(mib, 4),
    'model-00002-of-00002.safetensors': madeContent(mib, 5),
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
  const content = madeContent(wholeBytes, 7)
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
  expect(started.sentBytes).toBeLessThanOrEqual(wholeBytes * 1.1)
  if (process.env['WEIGHTS_PULL_BYTES'] !== undefined) {
    process.stdout.write(`received ${transferredBytes}, sent ${started.sentBytes} bytes\n`)
  }
}, 600_000)
