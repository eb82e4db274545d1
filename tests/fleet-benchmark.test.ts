/** What is measured of a replica, against engines whose speed is known. */
import { expect, test } from 'vitest'
import { kneeOf, measureReplica } from '#agent/benchmark-replica.ts'
import { openPageFetcher } from '#agent/fetch-page.ts'
import { replicaSpeed } from '#protocol/agent-messages.ts'
import { systemClock } from '#std/clock.ts'
import { afterTest } from './harness/after-test.ts'
import { answerJson, type ScriptedRequest, scriptedEngine } from './harness/scripted-engine.ts'

const about = { engine: 'vllm', model: 'tiny', weights: 'hf:org/Tiny-GGUF:Q4_K_M' }

/** Decodes one batch after the other, `slots` answers at a time, a token every `tpotMs`. */
async function engineOf(slots: number, tpotMs: number, contextTokens = 4_096) {
  const asked: string[] = []
  let running = 0
  const waiting: (() => void)[] = []
  const answer = async ({ response, body }: ScriptedRequest): Promise<void> => {
    const { prompt, max_tokens: tokens } = JSON.parse(body.toString())
    asked.push(prompt)
    const promptTokens = prompt.split(' ').length
    if (promptTokens + tokens > contextTokens) {
      answerJson(response, 400, { error: { message: 'the context is full' } })
      return
    }
    if (running >= slots) await new Promise<void>((resolve) => waiting.push(resolve))
    running++
    await new Promise((resolve) => setTimeout(resolve, tokens * tpotMs + promptTokens / 10))
    running--
    waiting.shift()?.()
    answerJson(response, 200, { usage: { prompt_tokens: promptTokens, completion_tokens: tokens } })
  }
  const { url } = await scriptedEngine((asking) => void answer(asking))
  return { port: Number(new URL(url).port), asked }
}

/** Five of its seconds are one of ours, so that every level is over soon: engines seem slower. */
const fastClock = { ...systemClock, nowMs: () => systemClock.nowMs() * 5 }

function measure(port: number) {
  const pages = openPageFetcher()
  afterTest(() => pages.close())
  return measureReplica({ port, about, fetchPage: pages.fetchPage, clock: fastClock })
}

test('speeds alone and with several at a time are found, each prompt a new one', async () => {
  const { port, asked } = await engineOf(2, 2)
  // The agent adds what it knows of the device.
  const speed = replicaSpeed.parse({ ...(await measure(port)), boundTokensPerSecond: null })
  // 64 tokens of 2 ms each, by a clock five times as fast: a busy machine is slower, never faster.
  expect(speed.decodeTokensPerSecond).toBeGreaterThan(0)
  expect(speed.decodeTokensPerSecond).toBeLessThan(100)
  expect(speed.promptTokensPerSecond).toBeGreaterThan(0)
  expect(speed.promptTokensPerSecond).toBeLessThan(2_000)
  const levels = speed.byConcurrency.map(({ requests }) => requests)
  expect(levels).toEqual([1, 2, 4, 8, 16].slice(0, levels.length))
  expect(levels.length).toBeGreaterThan(1)
  expect(speed.knee).toBe(kneeOf(speed.byConcurrency))
  expect(speed).toMatchObject({ engine: 'vllm', quantization: 'Q4_K_M' })
  // A cache of prefixes would answer a prompt that was there before.
  expect(new Set(asked).size).toBe(asked.length)
})

test('a context too short for the usual prompt gets a shorter one', {
  timeout: 30_000,
}, async () => {
  const { port, asked } = await engineOf(1, 1, 120)
  expect((await measure(port)).promptTokensPerSecond).toBeGreaterThan(0)
  expect(asked.slice(0, 3).map((prompt) => prompt.split(' ').length)).toEqual([240, 120, 60])
})

test.each([
  {
    name: 'no JSON',
    status: 200,
    body: 'hello',
    says: /answered 200 without counting tokens: hello/,
  },
  { name: 'no counts', status: 200, body: {}, says: /without counting tokens/ },
  {
    name: 'an error',
    status: 500,
    body: { error: 'out of memory' },
    says: /answered 500 .*out of memory/,
  },
])(
  'an engine that answers $name cannot be measured, and it says why',
  async ({ status, body, says }) => {
    const { url } = await scriptedEngine(({ response }) => answerJson(response, status, body))
    await expect(measure(Number(new URL(url).port))).rejects.toThrow(says)
  },
)

test.each([
  { speeds: [10], knee: 1 },
  { speeds: [10, 10.5], knee: 1 },
  { speeds: [10, 19, 20], knee: 2 },
  { speeds: [10, 19, 36, 70, 130], knee: 16 },
  { speeds: [0, 0], knee: 1 },
])('of $speeds tokens/s at 1, 2, 4, … requests the knee is at $knee', ({ speeds, knee }) => {
  const points = speeds.map((tokensPerSecond, at) => ({ requests: 2 ** at, tokensPerSecond }))
  expect(kneeOf(points)).toBe(knee)
})
