import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { exitCodes } from '#cli/command-failure.ts'
import { modelToAsk } from '#cli/model-to-ask.ts'

/** What a load asks for where these are listed and nobody names one. */
async function askedFor(data: readonly object[]): Promise<string> {
  const server = createServer((_request, response) => response.end(JSON.stringify({ data })))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return modelToAsk(undefined, { url }, new AbortController().signal)
}

const alias = (id: string, of: string) => ({ id, motley: { alias_of: of } })

test.each([
  ['the only one', [{ id: 'llama' }]],
  ['the only one, beside its aliases', [alias('gpt-4', 'llama'), { id: 'llama' }]],
])('of %s nobody has to say which', async (_what, models) => {
  expect(await askedFor(models)).toBe('llama')
})

test('where a key may use an alias alone, that is asked for', async () => {
  expect(await askedFor([alias('gpt-4', 'llama')])).toBe('gpt-4')
})

test('of two models somebody has to say which', async () => {
  await expect(askedFor([{ id: 'llama' }, alias('gpt-4', 'qwen')])).rejects.toMatchObject({
    exitCode: exitCodes.wrong,
    message: 'say which model with --model: llama, gpt-4',
  })
})

test('that none is served is an answer, and no mistake of who asked', async () => {
  await expect(askedFor([])).rejects.toMatchObject({ exitCode: exitCodes.no })
})
