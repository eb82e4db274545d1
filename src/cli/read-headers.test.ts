import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import { withHeaders } from '#cli/read-headers.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import { motleyConfig } from '#core/config/document.ts'
import { bytesContent, startTestHub } from '#testing/test-hub.ts'

const tiny = readFileSync(fileURLToPath(new URL('../../models/motley-tiny.gguf', import.meta.url)))

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

test('weights that nobody knows are read by their headers; what is not there is planned without', async () => {
  const hub = await startTestHub({
    repositories: { 'motley/tiny-GGUF': { files: { 'tiny-Q8_0.gguf': bytesContent(tiny) } } },
  })
  const folder = await mkdtemp(join(tmpdir(), 'motley-headers-'))
  const said: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => {
    said.push(String(line).trimEnd())
    return true
  })
  vi.stubEnv('HF_ENDPOINT', hub.url)
  vi.stubEnv('MOTLEY_DATA_DIR', folder)
  try {
    const wishes = wishesOf(
      motleyConfig.parse({
        deployments: {
          tiny: { model: 'hf:motley/tiny-GGUF' },
          gone: { model: 'hf:motley/gone-GGUF' },
          known: { model: 'llama-3.1-8b' },
        },
      }),
    )
    const read = await withHeaders(wishes)
    const factsOf = (name: string) =>
      read.deployments.find((one) => one.name === name)?.variants[0]?.facts
    expect(factsOf('tiny')).toMatchObject({ format: 'gguf', layerCount: 5 })
    expect(factsOf('gone')).toBeNull()
    expect(factsOf('known')).toEqual(wishes.deployments[2]?.variants[0]?.facts)
    expect(said.filter((line) => line.startsWith('motley: '))).toEqual([
      expect.stringMatching(
        /^motley: hf:motley\/gone-GGUF is planned without its size: .*gone-GGUF/,
      ),
    ])
  } finally {
    await hub.close()
    await rm(folder, { recursive: true })
  }
})
