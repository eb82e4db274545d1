/** One chat request of a load, sent and watched to its end. Never rejects: what failed is a sample. */
import { type Dispatcher, request } from 'undici'
import type { Arrival } from '#loadtest/arrival.ts'
import { promptText } from '#loadtest/prompt-text.ts'
import type { Outcome, Sample } from '#loadtest/sample.ts'
import { openAiStream } from '#openai/openai-stream.ts'
import { readUsage, type Usage } from '#openai/usage.ts'
import { FrameSplitter } from '#std/frame-splitter.ts'
import { asObject, jsonObject } from '#std/json-object.ts'
import { printable } from '#std/printable.ts'
import { sseData } from '#std/sse-data.ts'

export interface ChatTarget {
  /** Of the API, up to and without `/v1`. */
  readonly url: string
  readonly model: string
  readonly apiKey: string | null
  readonly dispatcher: Dispatcher
  readonly timeoutMs: number
  /** Whether engines are told to write as many tokens as asked, also past the end they would make. */
  readonly ignoresEnd: boolean
  readonly nowMs: () => number
}

/** `startedAtMs`: when the load began, on the clock of `target`. `own` makes its prompt unlike others. */
export async function chatRequest(
  target: ChatTarget,
  arrival: Arrival,
  own: number,
  startedAtMs: number,
  signal: AbortSignal,
): Promise<Sample> {
  const dueMs = startedAtMs + arrival.atMs
  const seen = new Seen()
  let endpoint: string | null = null
  let outcome: Outcome
  try {
    const answer = await request(`${target.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(target.apiKey === null ? {} : { authorization: `Bearer ${target.apiKey}` }),
      },
      body: JSON.stringify({
        model: target.model,
        messages: [{ role: 'user', content: promptText(arrival.promptTokens, own) }],
        max_tokens: arrival.outputTokens,
        ...(target.ignoresEnd ? { ignore_eos: true } : {}),
        stream: true,
        stream_options: { include_usage: true },
      }),
      dispatcher: target.dispatcher,
      signal: AbortSignal.any([signal, AbortSignal.timeout(target.timeoutMs)]),
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    const named = answer.headers['x-motley-endpoint']
    endpoint = typeof named === 'string' ? named : null
    if (answer.statusCode !== 200) {
      outcome = refusal(answer.statusCode, await answer.body.text())
    } else {
      const frames = new FrameSplitter('sse')
      for await (const chunk of answer.body) {
        const nowMs = target.nowMs()
        frames.push(chunk as Buffer, (frame) => seen.take(frame, nowMs))
      }
      outcome = seen.outcome()
    }
  } catch (error) {
    outcome = failure(error, seen)
  }
  const endMs = target.nowMs()
  return {
    phase: arrival.phase,
    dueMs: arrival.atMs,
    outcome,
    ttftMs: seen.firstMs === null ? null : seen.firstMs - dueMs,
    tpotMs: seen.tpotMs(),
    endToEndMs: endMs - dueMs,
    promptTokens: seen.usage?.promptTokens ?? arrival.promptTokens,
    completionTokens: seen.completionTokens(),
    endpoint,
  }
}

/** What has come of a stream so far. */
class Seen {
  firstMs: number | null = null
  #lastMs = 0
  #pieces = 0
  #ended = false
  #error: string | null = null
  usage: Usage | null = null

  take(frame: Buffer, nowMs: number): void {
    const data = sseData(frame)
    if (data === null) return
    const meaning = openAiStream.meaning(data)
    if (meaning === 'end') {
      this.#ended = true
      return
    }
    const event = jsonObject(data)
    if (meaning === 'error') {
      const error = asObject(event?.['error'])
      this.#error = String(error?.['message'] ?? 'an error event').slice(0, 200)
      return
    }
    this.usage = readUsage(event?.['usage']) ?? this.usage
    if (!carriesToken(event)) return
    this.firstMs ??= nowMs
    this.#lastMs = nowMs
    this.#pieces++
  }

  outcome(): Outcome {
    if (this.#error !== null) return { kind: 'cut', detail: this.#error }
    if (!this.#ended) return { kind: 'cut', detail: 'the stream ended without [DONE]' }
    return { kind: 'answered' }
  }

  completionTokens(): number {
    return this.usage?.completionTokens ?? this.#pieces
  }

  tpotMs(): number | null {
    const tokens = this.completionTokens()
    if (this.firstMs === null || tokens < 2) return null
    return (this.#lastMs - this.firstMs) / (tokens - 1)
  }
}

/** The role alone, an empty delta, a finish reason and usage are no tokens. */
function carriesToken(event: Readonly<Record<string, unknown>> | null): boolean {
  const choices = event?.['choices']
  if (!Array.isArray(choices)) return false
  return choices.some((choice) => {
    const delta = asObject(asObject(choice)?.['delta'])
    if (delta === null) return false
    const texts = [delta['content'], delta['reasoning_content'], delta['reasoning']]
    return texts.some((text) => typeof text === 'string' && text !== '') || 'tool_calls' in delta
  })
}

function refusal(status: number, body: string): Outcome {
  const error = asObject(jsonObject(body)?.['error'])
  const code = error?.['code']
  return {
    kind: 'refused',
    status,
    code: typeof code === 'string' ? printable(code.slice(0, 60)) : null,
  }
}

function failure(error: unknown, seen: Seen): Outcome {
  // Those of the system and of undici are words; an aborted request has the number of the DOM's.
  const { name, code, message } = error as Error & { code?: unknown }
  if (name === 'TimeoutError') return { kind: 'timed-out' }
  const detail = (typeof code === 'string' ? code : message).slice(0, 200)
  return seen.firstMs === null ? { kind: 'unreachable', detail } : { kind: 'cut', detail }
}
