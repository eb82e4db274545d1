import { appendFile, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LogFile, lastLines } from '#agent/replicas/log-file.ts'
import { maskSecrets, secretValues } from '#agent/replicas/mask-secrets.ts'
import { seededChance } from '#std/seeded-chance.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'motley-log-'))
})
afterEach(() => rm(directory, { recursive: true }))

const path = (): string => join(directory, 'logs', 'chat-0.log')
const open = (bytesMax?: number, secrets: readonly string[] = []): Promise<LogFile> =>
  LogFile.open({ path: path(), secrets, ...(bytesMax === undefined ? {} : { bytesMax }) })
/** As an engine does: it knows nothing of cuts. */
const write = (text: string | Buffer): Promise<void> => appendFile(path(), text)

/** What a reader that polls sees, from an offset to the end. */
async function follow(log: LogFile, after: number, limitBytes?: number) {
  let text = ''
  let offset = after
  for (;;) {
    const page = await log.read(offset, limitBytes)
    text += page.text
    if (page.nextOffset === offset) return { text, offset }
    offset = page.nextOffset
  }
}

test('a reader that polls gets each line once, and an unfinished one when it is whole', async () => {
  const log = await open()
  await write('loading weights\nhalf a li')
  const first = await log.read(0)
  expect(first).toEqual({ text: 'loading weights\n', nextOffset: 16, skippedBytes: 0 })
  expect((await log.read(first.nextOffset)).text).toBe('')
  await write('ne\n')
  expect((await log.read(first.nextOffset)).text).toBe('half a line\n')
})

test('without an offset the newest whole lines come', async () => {
  const log = await open()
  await write(`${'x'.repeat(1_500)}\nlast but one\nlast\n`)
  expect((await log.read(null, 1_024)).text).toBe('last but one\nlast\n')
})

test('a file that is too large is cut, and a reader follows over the cut', async () => {
  const log = await open(4_096)
  const lines = Array.from({ length: 300 }, (_, number) => `line ${number}\n`)
  const chance = seededChance(1)
  let seen = ''
  let offset = 0
  for (const line of lines) {
    await write(line.repeat(3))
    if (chance() < 0.1) {
      const read = await follow(log, offset, 1_024)
      seen += read.text
      offset = read.offset
    }
    await log.bound()
  }
  seen += (await follow(log, offset, 1_024)).text
  expect(seen).toBe(lines.map((line) => line.repeat(3)).join(''))
  const sizes = await Promise.all(
    (await readdir(join(directory, 'logs'))).map(
      async (name) => (await stat(join(directory, 'logs', name))).size,
    ),
  )
  expect(sizes).toHaveLength(2)
  expect(Math.max(...sizes)).toBeLessThan(4_096 + 100)
})

test('offsets go on where they were when it is opened again', async () => {
  const before = await open(100)
  await write(`${'a'.repeat(99)}\n${'b'.repeat(49)}\n`)
  await before.bound()
  await write('after the cut\n')
  const again = await open(100)
  expect(await again.endOffset()).toBe(164)
  expect((await again.read(150)).text).toBe('after the cut\n')
  expect(await again.read(0)).toEqual({
    text: `${'a'.repeat(49)}\n${'b'.repeat(49)}\nafter the cut\n`,
    nextOffset: 164,
    skippedBytes: 50,
  })
})

test('an offset from beyond the end starts over', async () => {
  const log = await open()
  await write('new log\n')
  expect(await log.read(1_000_000)).toMatchObject({ text: 'new log\n', skippedBytes: 0 })
})

test('a log that nobody cut for long keeps its newest part', async () => {
  const log = await open(1_024)
  await write(`${'old\n'.repeat(100_000)}newest\n`)
  await log.bound()
  const page = await log.read(0, 4_096)
  expect(page.skippedBytes).toBe(400_007 - 1_024)
  expect(page.text.endsWith('old\nnewest\n')).toBe(true)
  expect(await log.read(null)).toMatchObject({ nextOffset: 400_007 })
})

test('a line that is longer than a page comes in parts, never with half a character', async () => {
  const log = await open()
  const line = `${'ä€🦜'.repeat(700)}\n`
  await write(line)
  expect((await follow(log, 0, 1_024)).text).toBe(line)
})

test('however it is written, cut and read, nothing is lost and nothing comes twice', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'é', '🦜', ' '), maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ line, cut: fc.boolean(), read: fc.boolean() }), { maxLength: 25 }),
      async (steps) => {
        await rm(join(directory, 'logs'), { recursive: true, force: true })
        const log = await open(300)
        let seen = ''
        let offset = 0
        const readAll = async (): Promise<void> => {
          const read = await follow(log, offset)
          seen += read.text
          offset = read.offset
        }
        for (const { line, cut, read } of steps) {
          await write(`${line}\n`)
          // Two cuts without a read in between may take what nobody has read; that is their job.
          if (cut && (await log.bound())) await readAll()
          if (read) await readAll()
        }
        await readAll()
        expect(seen).toBe(steps.map(({ line }) => `${line}\n`).join(''))
      },
    ),
    { numRuns: 60 },
  )
})

test('last words are without colours, blank lines, progress and what we noted', async () => {
  const log = await open()
  await write('old life\n')
  const since = await log.endOffset()
  log.note('started')
  await write('\u001b[31mERROR\u001b[0m one\r\n\n10%\r20%\r100%\nRuntimeError: two')
  log.note('ended')
  expect(lastLines(await log.tail(since), 10)).toEqual(['ERROR one', '100%', 'RuntimeError: two'])
  expect(lastLines(await log.tail(since), 1)).toEqual(['RuntimeError: two'])
  expect(await readFile(path(), 'utf8')).toContain('two\nmotley: ended\n')
})

test('what a terminal would obey does not come out of a log', async () => {
  const log = await open()
  await write('a\u001b]0;title\u0007b\u001b[2Jc\u0008\u009b31md\n')
  expect((await log.read(0)).text).toBe('abcd\n')
})

test('secrets do not come out of a log', async () => {
  const log = await open(undefined, ['s3cret-of-this-engine'])
  await write("args: {'api_key': ['s3cret-of-this-engine']}\nHF_TOKEN=abcdefghijkl\n")
  const page = await log.read(0)
  expect(page.text).toBe("args: {'api_key': ['***']}\nHF_TOKEN=***\n")
  expect(lastLines(await log.tail(0), 2).join('\n')).toBe(page.text.trimEnd())
})

test.each([
  ['token hf_abcdefghijklmnopqrst', 'token hf_***'],
  ['Authorization: Bearer abc.def-ghi', 'Authorization: Bearer ***'],
  ['serve --api-key abcdefghijk --port 8000', 'serve --api-key *** --port 8000'],
  ['https://user:pass@mirror/x', 'https://***@mirror/x'],
  ['max_tokens=100 is a token limit', 'max_tokens=100 is a token limit'],
])('%s is shown as %s', (text, shown) => {
  expect(maskSecrets(text, [])).toBe(shown)
})

test('a secret that begins like another is masked whole, and a short one is left alone', () => {
  expect(maskSecrets('12345678 123456789 none', ['12345678', '123456789', 'none'])).toBe(
    '*** *** none',
  )
  expect(secretValues({ HF_TOKEN: 'a', MY_API_KEY: 'b', HF_HOME: '/x' })).toEqual(['a', 'b'])
})

test('masking and cleaning take time in proportion to the text', async () => {
  const log = await open()
  await write(`${'-'.repeat(60_000)}\n${'a'.repeat(60_000)}\n${'_TOKEN'.repeat(10_000)}\n`)
  const startedMs = performance.now()
  await follow(log, 0)
  expect(performance.now() - startedMs).toBeLessThan(2_000)
})

test('a log that is forgotten leaves no file', async () => {
  const log = await open(10)
  await write('more than ten bytes\n')
  await log.bound()
  await log.remove()
  expect(await readdir(join(directory, 'logs'))).toEqual([])
})
