import { expect, test } from 'vitest'
import type { FleetStatus } from '#cli/fleet-status.ts'
import { statusText } from '#cli/status-text.ts'
import { widthOf } from '#cli/width.ts'

type EndpointStatus = FleetStatus['endpoints'][number]

function endpoint(fields: Partial<EndpointStatus>): EndpointStatus {
  return {
    name: 'h100',
    url: 'http://node0:8001',
    engine: 'vllm',
    state: 'ready',
    reason: null,
    models: ['llama-3.1-8b'],
    weight: 4,
    effectiveWeight: 4,
    inFlight: 3,
    maxInFlight: 256,
    ttftMs: 83.4,
    requestsTotal: 1_204,
    errorsTotal: 0,
    sinceMs: null,
    alarms: [],
    ...fields,
  }
}

const gateway = {
  version: '0.1.0',
  uptimeSeconds: 7_384,
  strategy: 'least-connections',
  inFlight: 5,
  queued: 2,
  routingScript: null,
  configuration: null,
}

test('a mixed fleet fits 80 columns, with the reason below each endpoint that is not ready', async () => {
  const endpoints = [
    endpoint({}),
    endpoint({ name: 'mi300x', engine: 'sglang', effectiveWeight: 1.25, requestsTotal: 123_456 }),
    endpoint({
      name: 'mac-studio-upstairs',
      engine: 'llama-server',
      models: ['meta-llama/Llama-3.1-8B-Instruct', 'qwen2.5-7b'],
      state: 'failed',
      reason: 'connection refused by 10.0.0.7:8080, twice in a row; the next check is in 0.5 s',
      ttftMs: null,
      errorsTotal: 12,
    }),
    endpoint({
      name: 'embedded',
      engine: 'motley-embedded',
      models: ['motley-tiny'],
      state: 'loading',
      reason: 'Loading model',
      maxInFlight: null,
      weight: 1,
      effectiveWeight: 1,
      ttftMs: 2_340,
    }),
    endpoint({
      name: '10.0.0.9-8000',
      engine: null,
      models: [],
      state: 'failing',
      reason: 'silent',
    }),
  ]
  const text = statusText({ gateway, endpoints })
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  await expect(`${text}\n`).toMatchFileSnapshot('../../fixtures/cli/status.txt')
})

test('models that have no room on the line are counted', () => {
  const models = Array.from({ length: 15 }, (_, at) => `model-${at}`)
  const lineOf = (width: number, names = models) => {
    const text = statusText({ gateway, endpoints: [endpoint({ models: names })] }, width)
    return text.split('\n').find((line) => line.startsWith('h100')) ?? ''
  }
  expect(lineOf(80)).toMatch(/ {2}model-0 model-1 \+13$/)
  expect(lineOf(80, ['meta-llama/Llama-3.1-8B-Instruct', 'bge-m3'])).toMatch(
    / {2}meta-llama\/Llama-3.1-8… \+1$/,
  )
  expect(lineOf(100)).toMatch(/ {2}model-0 model-1 model-2 model-3 model-4 \+10$/)
  expect(lineOf(400).endsWith(models.join(' '))).toBe(true)
  for (const width of [80, 100]) expect(lineOf(width).length).toBeLessThanOrEqual(width)
})

test('how wide a table may be is not limited where no person looks', () => {
  expect(widthOf({ isTTY: false, columns: 80 })).toBe(Number.POSITIVE_INFINITY)
})

test('a terminal that is wider than most is used', () => {
  expect([60, 80, 132].map((columns) => widthOf({ isTTY: true, columns }))).toEqual([80, 80, 132])
})

test('an endpoint that is down shows its weight, and no ramp', () => {
  const down = endpoint({ state: 'failed', reason: 'refused', weight: 3, effectiveWeight: 0.6 })
  expect(statusText({ gateway, endpoints: [down] })).not.toContain('0.6/3')
})

test('no endpoints at all is said, not shown as an empty table', () => {
  expect(statusText({ gateway, endpoints: [] })).toContain('No endpoints')
})

test('what is wrong with an endpoint that answers stands below the table, whole', () => {
  const alarm = `Only 12 of its 33 layers are on the GPU: ${'and so on '.repeat(10)}`.trim()
  const lines = statusText({ gateway, endpoints: [endpoint({ alarms: [alarm] })] }).split('\n')
  const below = lines.slice(lines.lastIndexOf('') + 1)
  expect(below.join(' ').replace(/ +/g, ' ')).toBe(`! h100: ${alarm}`)
  for (const line of below) expect(line.length).toBeLessThanOrEqual(80)
})

test.each([
  { failures: 1, isLeftOut: false, said: 'routing.script failed once, last 3 s ago, and' },
  { failures: 12, isLeftOut: false, said: 'routing.script failed 12 times, last 3 s ago, and' },
  {
    failures: 3,
    isLeftOut: true,
    said: 'routing.script is left out until its file is read again; it failed 3 times, last 3 s ago',
  },
])('a script that failed $failures times is told above the endpoints', (one) => {
  const { failures, isLeftOut, said } = one
  const lastFailure = { why: 'it threw 5 (line 2)', agoMs: 3_000 }
  const routingScript = { failures, isLeftOut, lastFailure }
  const text = statusText({ gateway: { ...gateway, routingScript }, endpoints: [endpoint({})] })
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  const folded = text.replaceAll(/\n +/g, ' ')
  expect(folded).toContain(said)
  expect(folded).toContain('it threw 5 (line 2)')
})

test('a script that never failed is not told of', () => {
  const routingScript = { failures: 0, isLeftOut: false, lastFailure: null }
  const gatewayWithOne = { ...gateway, routingScript }
  expect(statusText({ gateway: gatewayWithOne, endpoints: [] })).not.toContain('script')
})

test('a file that was changed and is not used is told above the table', () => {
  const problem = 'line 2: routing.strategy: found "x"; allowed: fastest, round-robin'
  const configuration = { source: 'motley.yaml', problem, moreProblems: 2, agoMs: 180_000 }
  const text = statusText({ gateway: { ...gateway, configuration }, endpoints: [endpoint({})] })
  const told = text.split('\n').slice(2, 4).join(' ').replaceAll(/\s+/g, ' ')
  expect(told).toContain(`! motley.yaml was changed 3 min ago and is not used: ${problem}`)
  expect(text).toContain('(and 2 more)')
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
})

test('one request that runs is one request', () => {
  const text = statusText({ gateway: { ...gateway, inFlight: 3 }, endpoints: [endpoint({})] })
  expect(text).toContain('1 of 1 endpoints ready, 1 request running, 2 waiting')
})
