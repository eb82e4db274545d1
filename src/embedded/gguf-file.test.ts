import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkGgufFile, modelNameOfFile } from '#embedded/gguf-file.ts'

const model = 'models/motley-tiny.gguf'
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motley-gguf-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function check(name: string, bytes: Uint8Array): Promise<void> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  await checkGgufFile(path)
}

function header(magic: string, version: number, tensors = 0n): Buffer {
  const bytes = Buffer.alloc(64)
  bytes.write(magic, 'latin1')
  bytes.writeUInt32LE(version, 4)
  bytes.writeBigUInt64LE(tensors, 8)
  return bytes
}

test('the bundled model passes', async () => {
  await checkGgufFile(model)
})

test.each([
  { file: 'an empty file', bytes: Buffer.alloc(0), says: /is empty; download it again/ },
  {
    file: 'a text',
    bytes: Buffer.from('{"weights": 1}'),
    says: /is not a GGUF file: it begins with "\{\\"we" and not with "GGUF"/,
  },
  { file: 'a few bytes', bytes: header('GGUF', 3).subarray(0, 9), says: /cut off after 9 bytes/ },
  { file: 'a later version', bytes: header('GGUF', 9), says: /GGUF version 9; versions 2 and 3/ },
  { file: 'a big-endian file', bytes: header('FUGG', 3), says: /big-endian/ },
  {
    file: 'a count no file can hold',
    bytes: header('GGUF', 3, 1_000_000n),
    says: /promises 1000000 tensors .* more than 64 bytes can hold/,
  },
])('$file is refused in one sentence', async ({ file, bytes, says }) => {
  await expect(check(`${file}.gguf`, bytes)).rejects.toThrow(says)
})

test('a missing file and a folder are refused in one sentence', async () => {
  await expect(checkGgufFile(join(folder, 'none.gguf'))).rejects.toThrow(/none.gguf does not exist/)
  await expect(checkGgufFile(folder)).rejects.toThrow(/is not a file/)
})

test('a file that was cut after its header passes: only the loader can tell', async () => {
  await check('cut.gguf', (await readFile(model)).subarray(0, 100_000))
})

test.each([
  { path: '/models/qwen3-8b.gguf', name: 'qwen3-8b' },
  { path: 'Big-Q4_K_M-00001-of-00003.gguf', name: 'Big-Q4_K_M' },
  { path: 'plain', name: 'plain' },
])('$path is called $name', ({ path, name }) => {
  expect(modelNameOfFile(path)).toBe(name)
})
