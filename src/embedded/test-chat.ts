/** The embedded engine with the bundled model, as tests of one file ask it. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect } from 'vitest'
import { type EmbeddedServer, startEmbeddedServer } from '#embedded/server.ts'

interface Logprob {
  readonly token: string
  readonly logprob: number
  readonly bytes: readonly number[]
}

interface Chunk {
  readonly object: string
  readonly choices: readonly {
    readonly delta: { readonly role?: string; readonly content?: string }
    readonly finish_reason: string | null
  }[]
  readonly usage?: Readonly<Record<string, unknown>> | null
}

interface Answer {
  readonly choices: readonly [
    {
      readonly message: { readonly role: string; readonly content: string }
      readonly finish_reason: string
      readonly logprobs: {
        readonly content: readonly (Logprob & { readonly top_logprobs: readonly Logprob[] })[]
      } | null
    },
  ]
  readonly usage: {
    readonly prompt_tokens: number
    readonly completion_tokens: number
    readonly total_tokens: number
    readonly prompt_tokens_details: { readonly cached_tokens: number }
  }
}

type Fields = Readonly<Record<string, unknown>>

/** To be called once a file, outside of any test. */
export function chatEngine() {
  let server: EmbeddedServer
  let sample = ''
  beforeAll(async () => {
    sample = await readFile('models/sample.txt', 'utf8')
    server = await startEmbeddedServer({ modelPath: 'models/motley-tiny.gguf' })
    await server.ready
  })
  afterAll(() => server.close())

  const postTo = (path: string, body: Fields): Promise<Response> =>
    fetch(`${server.url}${path}`, { method: 'POST', body: JSON.stringify(body) })
  const post = (body: Fields): Promise<Response> => postTo('/v1/chat/completions', body)

  return {
    post,
    postTo,

    /** A greedy question, unless `more` says otherwise. */
    async ask(question: string, more: Fields = {}): Promise<Answer> {
      const messages = [{ role: 'user', content: question }]
      const response = await post({ messages, temperature: 0, ...more })
      expect(response.status).toBe(200)
      return (await response.json()) as Answer
    },

    async askStream(question: string, more: Fields = {}) {
      const messages = [{ role: 'user', content: question }]
      const response = await post({ messages, temperature: 0, stream: true, ...more })
      expect(response.headers.get('content-type')).toContain('text/event-stream')
      const raw = await response.text()
      const chunks = raw
        .split('\n\n')
        .filter((event) => event.startsWith('data: {'))
        .map((event) => JSON.parse(event.slice(6)) as Chunk)
      return { chunks, raw, text: contentsOf(chunks).join('') }
    },

    /** The answer of models/sample.txt. */
    expected(question: string): string {
      const start = sample.indexOf(`> ${question}\n`) + question.length + 3
      return sample.slice(start, sample.indexOf('\n[', start))
    },
  }
}

export function contentsOf(chunks: readonly Chunk[]): readonly string[] {
  return chunks.flatMap(({ choices: [choice] }) => choice?.delta.content ?? [])
}
