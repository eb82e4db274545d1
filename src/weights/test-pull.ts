/** For tests: pulls from a hub on loopback into a store of their own. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import { seededChance } from '#std/seeded-chance.ts'
import { hastyClock } from '#testing/hasty-clock.ts'
import {
  type HubOptions,
  madeWeights,
  startTestHub,
  type TestHub,
  textContent,
} from '#testing/test-hub.ts'
import { weightsCaches } from '#weights/caches/index.ts'
import { openHttpClient } from '#weights/http-client.ts'
import { type PullContext, type PullEvent, pullWeights } from '#weights/pull.ts'
import { parseReference } from '#weights/reference.ts'
import { openStore, type WeightsStore } from '#weights/store.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

/** Runs after the test, the newest first. */
export function afterTest(cleanup: () => unknown): void {
  cleanups.push(cleanup)
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'motley-weights-'))
  afterTest(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export async function hub(options: HubOptions): Promise<TestHub> {
  const started = await startTestHub(options)
  afterTest(() => started.close())
  return started
}

export interface Bench {
  readonly store: WeightsStore
  readonly context: PullContext
  readonly events: PullEvent[]
  readonly home: string
  pull(reference: string): ReturnType<typeof pullWeights>
  notes(): string[]
}

export async function bench(
  hubUrl: string,
  more: Partial<PullContext> = {},
  home?: string,
): Promise<Bench> {
  const folder = home ?? (await temporaryFolder())
  const store = openStore(join(folder, 'weights'))
  const http = openHttpClient()
  afterTest(() => http.close())
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

export const mib = 1024 * 1024
export const model = madeWeights(3 * mib + 17, 1)
export const repository = {
  files: {
    'README.md': textContent('# Tiny'),
    'config.json': textContent('{"architectures": ["X"]}'),
    'tiny-Q4_K_M.gguf': model,
    'tiny-Q8_0.gguf': madeWeights(mib, 2),
  },
}
export const repositories = { 'motley/tiny-GGUF': repository }

export function hashOfFile(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

export async function blobsOf({ store }: Bench): Promise<string[]> {
  return readdir(join(store.directory, 'blobs')).catch(() => [])
}

/** Fails unless what the store calls whole is whole. */
export async function expectNothingListed(each: Bench): Promise<void> {
  expect(await each.store.models()).toEqual([])
  expect(await blobsOf(each)).toEqual([])
  expect(existsSync(join(each.store.directory, 'models'))).toBe(false)
}

export async function expectWhole(each: Bench, reference = 'hf:motley/tiny-GGUF:Q4_K_M') {
  const result = await each.pull(reference)
  const [file] = result.model.files
  expect(hashOfFile(join(result.folder, file?.path ?? ''))).toBe(file?.sha256)
  return result
}

export const page = `<!DOCTYPE html><html><body>${'<p>Sign in</p>'.repeat(2_000_000)}</body></html>`

/** Fails unless nothing is left of a pull: no model, no content, no download to go on with. */
export async function expectNothingKept(each: Bench): Promise<void> {
  await expectNothingListed(each)
  expect(await each.store.unfinished()).toEqual([])
  expect(await readdir(join(each.store.directory, 'partial')).catch(() => [])).toEqual([])
}
