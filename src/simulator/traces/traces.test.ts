import { expect, test } from 'vitest'
import { changeLoad, spreadTicks } from '#simulator/traces/change-load.ts'
import { loadTrace } from '#simulator/traces/load-trace.ts'
import { parseTrace } from '#simulator/traces/parse-trace.ts'
import { requestsPerSecond, withinContext } from '#simulator/traces/trace.ts'
import { seededChance } from '#std/seeded-chance.ts'

test.each([
  { file: 'azure2023-conv.csv.gz', requests: 10_108, rate: 5.62, prompt: 1243, output: 217 },
  { file: 'azure2023-code.csv.gz', requests: 5740, rate: 3.21, prompt: 2028, output: 27 },
  {
    file: 'mooncake-conversation.jsonl.gz',
    requests: 5719,
    rate: 3.18,
    prompt: 12_870,
    output: 346,
  },
  { file: 'mooncake-synthetic.jsonl.gz', requests: 1795, rate: 3.74, prompt: 12_074, output: 194 },
  { file: 'servegen-multimodel.csv.gz', requests: 14_992, rate: 8.33, prompt: 410, output: 103 },
])('$file is as its README says', async ({ file, requests, rate, prompt, output }) => {
  const trace = await loadTrace(`traces/${file}`)
  const mean = (pick: (one: (typeof trace.requests)[number]) => number) =>
    trace.requests.reduce((sum, one) => sum + pick(one), 0) / trace.requests.length
  expect(trace.requests).toHaveLength(requests)
  expect(requestsPerSecond(trace)).toBeCloseTo(rate, 1)
  expect(mean((one) => one.promptTokens)).toBeCloseTo(prompt, -1)
  expect(mean((one) => one.outputTokens)).toBeCloseTo(output, -1)
})

test('a CSV may name models and clients, and need not be in order', () => {
  const trace = parseTrace(
    'arrival_s,model,client,prompt_tokens,output_tokens\n2.5,m,a,10,3\n1,m,b,20,0\n',
    'x.csv',
  )
  expect(trace.requests.map(({ client, arrivalMs }) => [client, arrivalMs])).toEqual([
    ['b', 1000],
    ['a', 2500],
  ])
})

test.each([
  { text: '', error: 'x: the file is empty' },
  {
    text: 'time,tokens\n1,2',
    error:
      'x:1: found the columns time, tokens, allowed: arrival_s, prompt_tokens, output_tokens, and model, client',
  },
  {
    text: 'arrival_s,prompt_tokens,output_tokens\n1,2,3\n-1,2,3',
    error: 'x:3: arrival_s: found "-1", allowed: a number of at least 0',
  },
  {
    text: 'arrival_s,prompt_tokens,output_tokens\n1,2.5,3',
    error: 'x:2: prompt_tokens: found "2.5", allowed: a whole number',
  },
  {
    text: '{"arrival_s":0,"prompt_tokens":1}',
    error: 'x:1: output_tokens: found nothing, allowed: a number of at least 0',
  },
  {
    text: '{"arrival_s":0\n',
    error: 'x:1: found a line that is not JSON, allowed: an object on each',
  },
])('what cannot be read is said with its place: $error', ({ text, error }) => {
  expect(() => parseTrace(text, 'x')).toThrow(error)
})

test('a file that is not there is an error in one line', async () => {
  await expect(loadTrace('traces/none.csv')).rejects.toThrow(
    'traces/none.csv: there is no such file',
  )
})

test.each(['superpose', 'compress'] as const)(
  '%s gives the rate and the length asked for',
  async (how) => {
    const trace = await loadTrace('traces/azure2023-conv.csv.gz')
    for (const ratePerSecond of [3, 17, 60]) {
      const chance = seededChance(7)
      const changed = changeLoad(trace, { ratePerSecond, durationMs: 600_000, how, chance })
      const times = changed.requests.map((one) => one.arrivalMs)
      expect(times).toEqual([...times].sort((a, b) => a - b))
      expect(times.at(-1)).toBeLessThan(600_000)
      // The window is not equally full everywhere, and a part of it is taken.
      expect(requestsPerSecond(changed) / ratePerSecond).toBeGreaterThan(0.8)
      expect(requestsPerSecond(changed) / ratePerSecond).toBeLessThan(1.2)
    }
  },
)

test('copies that lie over each other share no prefix, rounds of one copy do', () => {
  const text =
    '{"arrival_s":0,"prompt_tokens":600,"output_tokens":1,"block_ids":[1,2]}\n{"arrival_s":1,"prompt_tokens":600,"output_tokens":1,"block_ids":[1,3]}'
  const trace = parseTrace(text, 'x')
  const chance = seededChance(1)
  const { requests } = changeLoad(trace, {
    ratePerSecond: 3,
    durationMs: 4000,
    how: 'superpose',
    chance,
  })
  const firsts = new Set(requests.map((one) => one.prefixHashes[0]))
  expect(firsts.size).toBe(3)
  expect(requests.length).toBe(12)
})

test('the same seed gives the same load, another one another', async () => {
  const trace = await loadTrace('traces/azure2023-code.csv.gz')
  const make = (seed: number) =>
    changeLoad(trace, {
      ratePerSecond: 10,
      durationMs: 300_000,
      how: 'superpose',
      chance: seededChance(seed),
    })
  expect(make(1)).toEqual(make(1))
  expect(make(1).requests).not.toEqual(make(2).requests)
})

test('ticks of a coarse clock are spread, and long prompts can be left out', async () => {
  const trace = await loadTrace('traces/mooncake-conversation.jsonl.gz')
  const distinct = new Set(trace.requests.map((one) => one.arrivalMs)).size
  const spread = spreadTicks(trace, 3000, seededChance(1))
  expect(distinct).toBeLessThan(1000)
  expect(new Set(spread.requests.map((one) => one.arrivalMs)).size).toBe(5719)
  const short = withinContext(trace, 8192)
  expect(Math.max(...short.requests.map((one) => one.promptTokens))).toBeLessThanOrEqual(8192)
})

test('a file that is no trace is told in a short line, without letters that steer a terminal', () => {
  const binary = `\u001b[31m${'\u0000,x'.repeat(5_000)}\n`
  expect(() => parseTrace(binary, 'photo.jpg')).toThrow(
    /^photo\.jpg:1: found the columns [^\p{Cc}]{100,130}…, allowed: arrival_s, /u,
  )
  expect(() => parseTrace(`arrival_s,${'0,'.repeat(600_000)}`, 'long.csv')).toThrow(
    'long.csv:1: found a line of 1200010 letters, allowed: at most 1000000',
  )
})

test.each(['[5]', 'true', 'null', '""'])('%s in a line of JSON is no number', (value) => {
  const line = `{"arrival_s":0,"prompt_tokens":${value},"output_tokens":1}`
  expect(() => parseTrace(line, 't.jsonl')).toThrow('t.jsonl:1: prompt_tokens: found ')
})
