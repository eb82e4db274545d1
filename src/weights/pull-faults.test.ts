import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '#std/clock.ts'
import { hastyClock } from '#testing/hasty-clock.ts'
import { madeWeights, sha256Of } from '#testing/test-hub.ts'
import { pullWeights } from '#weights/pull.ts'
import { parseReference } from '#weights/reference.ts'
import {
  bench,
  expectNothingListed,
  expectWhole,
  hub,
  mib,
  model,
  repositories,
} from '#weights/test-pull.ts'

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
