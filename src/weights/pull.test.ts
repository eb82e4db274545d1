import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '#std/clock.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { hastyClock } from '#testing/hasty-clock.ts'
import {
  commit,
  type HubOptions,
  madeWeights,
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
const model = madeWeights(3 * mib + 17, 1)
const repository = {
  files: {
    'README.md': textContent('# Tiny'),
    'config.json': textContent('{"architectures": ["X"]}'),
    'tiny-Q4_K_M.gguf': model,
    'tiny-Q8_0.gguf': madeWeights(mib, 2),
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
async function expectWhole(each: Bench, reference = 'hf:motley/tiny-GGUF:Q4_K_M') {
  const result = await each.pull(reference)
  const [file] = result.model.files
  expect(hashOfFile(join(result.folder, file?.path ?? ''))).toBe(file?.sha256)
  return result
}

test('a hub that has had enough is left alone for as long as it says', async () => {
  const { url, faults } = await hub({ repositories })
  faults.push(
    { kind: 'status', status: 429, headers: { 'retry-after': '90' } },
    { kind: 'status', status: 429, headers: { ratelimit: '"resolvers";r=0;t=120' } },
    { kind: 'status', status: 503 },
  )
  const clock = hastyClock()
  const each = await bench(url, { clock })
  await expectWhole(each)
  expect(clock.waitsMs).toContain(90_000)
  expect(clock.waitsMs).toContain(120_000)
})

test('one that wants to be left alone for hours ends the pull, and says so', async () => {
  const { url, faults } = await hub({ repositories })
  faults.push({ kind: 'status', status: 429, headers: { 'retry-after': '7200' } })
  const each = await bench(url)
  await expect(each.pull('hf:motley/tiny-GGUF:Q4_K_M')).rejects.toThrow(
    /has had enough requests for now \(429\) and asks to wait 120 minutes/,
  )
})

test('a server that fails every time is given up after ten failures in a row', async () => {
  const { url, faults } = await hub({ repositories })
  faults.push(...Array.from({ length: 40 }, () => ({ kind: 'status', status: 502 }) as const))
  const each = await bench(url)
  await expect(each.pull('hf:motley/tiny-GGUF:Q4_K_M')).rejects.toThrow(
    /answers 502, 10 times in a row/,
  )
  await expectNothingListed(each)
})

test('a signed link that has run out is asked for again', async () => {
  const big = { files: { 'big.gguf': madeWeights(40 * mib, 9) } }
  const { url, requests } = await hub({ repositories: { 'motley/big': big }, linkUses: 2 })
  const each = await bench(url)
  expect(await expectWhole(each, 'hf:motley/big')).toMatchObject({ transferredBytes: 40 * mib })
  const asked = requests.filter(({ path }) => path.includes('/resolve/'))
  expect(asked.length).toBeGreaterThan(1)
})

test('a server without ranges sends the whole file', async () => {
  const { url } = await hub({ repositories, withoutRanges: true })
  await expectWhole(await bench(url))
})

test('a server that says 416 makes it start over, once', async () => {
  const { url, faults } = await hub({ repositories })
  faults.push({ kind: 'cut', afterBytes: mib }, { kind: 'status', status: 416 })
  const each = await bench(url)
  const { transferredBytes } = await expectWhole(each)
  // What was under way when the connection was cut may not have arrived.
  expect(transferredBytes).toBeGreaterThan(model.sizeBytes)
  expect(transferredBytes).toBeLessThanOrEqual(model.sizeBytes + mib)
})

test('bytes that do not have the promised hash are deleted, and never shown', async () => {
  const { url, faults } = await hub({ repositories })
  faults.push({ kind: 'damage' })
  const each = await bench(url)
  await expect(each.pull('hf:motley/tiny-GGUF:Q4_K_M')).rejects.toThrow(
    /tiny-Q4_K_M.gguf from .* has the hash .*, promised was .*; it is deleted, pull again/,
  )
  await expectNothingListed(each)
  expect(await each.store.unfinished()).toEqual([])
  expect(await expectWhole(each)).toMatchObject({ transferredBytes: model.sizeBytes })
})

test('a pull that is stopped goes on where it was', async () => {
  const { url } = await hub({ repositories })
  const stop = new AbortController()
  const first = await bench(url, { signal: stop.signal })
  let seenBytes = 0
  const running = pullWeights(parseReference('hf:motley/tiny-GGUF:Q4_K_M'), {
    ...first.context,
    onEvent: (event) => {
      seenBytes += event.kind === 'progress' && event.transferred ? event.bytes : 0
      if (seenBytes > mib) stop.abort(new Error('Ctrl-C'))
    },
  })
  await expect(running).rejects.toThrow('Ctrl-C')
  await expectNothingListed(first)
  const [partial] = await first.store.unfinished()
  expect(partial).toMatchObject({
    reference: 'hf:motley/tiny-GGUF:Q4_K_M',
    finished: [{ begin: 0, end: seenBytes }],
  })
  const second = await bench(url, {}, first.home)
  const { transferredBytes } = await expectWhole(second)
  expect(transferredBytes).toBe(model.sizeBytes - seenBytes)
})

test('a journal that promises more than is there counts for nothing', async () => {
  const { url } = await hub({ repositories })
  const each = await bench(url)
  const folder = each.store.partialFolder(`sha256-${sha256Of(model)}`)
  mkdirSync(folder, { recursive: true })
  const journal = {
    reference: 'hf:motley/tiny-GGUF:Q4_K_M',
    path: 'tiny-Q4_K_M.gguf',
    sizeBytes: model.sizeBytes,
    digest: `sha256:${sha256Of(model)}`,
    validator: null,
    finished: [{ begin: 0, end: mib }],
  }
  writeFileSync(join(folder, 'journal.json'), JSON.stringify(journal))
  writeFileSync(join(folder, 'data'), Buffer.alloc(1000))
  expect(await expectWhole(each)).toMatchObject({ transferredBytes: model.sizeBytes })
})

test('two pulls of one file at the same time download it once', async () => {
  const { url, faults } = await hub({ repositories })
  faults.push({ kind: 'cut', afterBytes: mib })
  const one = await bench(url)
  const other = await bench(url, { clock: systemClock }, one.home)
  const results = await Promise.all([expectWhole(one), expectWhole(other)])
  expect(results.map(({ transferredBytes }) => transferredBytes).sort()).toEqual([
    0,
    model.sizeBytes,
  ])
})

test('a pull that cannot fit does not begin', async () => {
  const { url, sentBytes } = await hub({ repositories })
  const each = await bench(url)
  const store = { ...each.store, freeBytes: async () => 50 * mib }
  await expect(
    pullWeights(parseReference('hf:motley/tiny-GGUF:Q4_K_M'), { ...each.context, store }),
  ).rejects.toThrow(/needs 0.003 GB more, and 0.052 GB are free at .*MOTLEY_DATA_DIR/)
  expect(sentBytes).toBe(0)
})

test.skipIf(!existsSync('/dev/full'))(
  'a disk that becomes full ends the pull at once, and says what to do',
  async () => {
    const { url } = await hub({ repositories })
    const each = await bench(url)
    const folder = each.store.partialFolder(`sha256-${sha256Of(model)}`)
    mkdirSync(folder, { recursive: true })
    symlinkSync('/dev/full', join(folder, 'data'))
    await expect(each.pull('hf:motley/tiny-GGUF:Q4_K_M')).rejects.toThrow(
      /no room is left for .*\(ENOSPC\); free some, and pull again: what is there is kept/,
    )
    await expectNothingListed(each)
  },
)

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

const page = `<!DOCTYPE html><html><body>${'<p>Sign in</p>'.repeat(2_000_000)}</body></html>`

/** Fails unless nothing is left of a pull: no model, no content, no download to go on with. */
async function expectNothingKept(each: Bench): Promise<void> {
  await expectNothingListed(each)
  expect(await each.store.unfinished()).toEqual([])
  expect(await readdir(join(each.store.directory, 'partial')).catch(() => [])).toEqual([])
}

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
  cleanups.push(() => server.close())
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
  cleanups.push(() => server.close())
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
