import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseFleetFile } from '#simulator/fleet-file.ts'

const read = (name: string) => parseFleetFile(readFileSync(`fleets/${name}.yaml`, 'utf8'), name)

test.each(['lab', 'edge', 'vend', 'dc', 'homog'])('%s has eight endpoints', (name) => {
  expect(read(name)).toHaveLength(8)
})

test('lab is what it says', () => {
  expect(
    read('lab').map(({ name, seats, kvTokens }) => `${name}: ${seats} seats, ${kvTokens} tokens`),
  ).toMatchInlineSnapshot(`
    [
      "pro6000: 256 seats, 500000 tokens",
      "rtx4090: 256 seats, 41408 tokens",
      "rtx4090-2: 256 seats, 41408 tokens",
      "rx7900xtx: 16 seats, 100000 tokens",
      "m2-ultra: 16 seats, 200000 tokens",
      "strix-halo: 16 seats, 200000 tokens",
      "arc-b580: 8 seats, 32000 tokens",
      "epyc: 8 seats, 400000 tokens",
    ]
  `)
})

test('every model of the multi fleet is served by somebody', () => {
  const models = new Set(read('multi').flatMap(({ models }) => models))
  expect(models).toEqual(new Set(['m-small', 'm-mid', 'm-large', 'deepseek-r1']))
})

test('a device of the user has the figures that the file gives', () => {
  const [endpoint] = parseFleetFile(
    `endpoints:
  - name: mine
    device: rtx-5090
    engine: sglang
    slots: 32
    stepTime:
      linear: [[1, 12], [512, 60]]
      decodeMsPerContextToken: 0.0001
      prefillMsPerTokenPair: 0.000003
`,
    'mine.yaml',
  )
  expect(endpoint).toMatchObject({
    basis: 'user',
    seats: 32,
    behaviour: { kind: 'sglang', batchTokens: 2048 },
    stepTime: { overheadMs: 0, linear: { kind: 'table' } },
  })
})

test('a step factor makes the device slower, and its host stays the same', () => {
  const [one, other] = parseFleetFile(
    'endpoints:\n- { name: a, device: l4 }\n- { name: b, device: l4, stepFactor: 2 }\n',
    'x',
  )
  expect(other!.stepTime.overheadMs).toBe(one!.stepTime.overheadMs)
  expect(other!.stepTime.headMs).toBe(2 * one!.stepTime.headMs)
})

test.each([
  { text: 'endpoints:\n\t- {}\n', error: 'f.yaml:2: not YAML' },
  { text: '{}\n', error: 'f.yaml:1: endpoints: found nothing, allowed: a list' },
  { text: 'emulators: []\n', error: 'f.yaml:1: found the key emulators, allowed: endpoints' },
  {
    text: 'endpoints:\n  - name: a\n    device: l4\n    seats: 3\n',
    error:
      'f.yaml:2: endpoints[0]: found the key seats, allowed: name, device, engine, models, count, slots,',
  },
  {
    text: 'endpoints:\n  - { name: a, device: l4 }\n  - { name: b, device: l5 }\n',
    error: 'f.yaml:3: endpoints[1].device: found l5 without a stepTime, allowed: h100-sxm,',
  },
  {
    text: 'endpoints:\n  - name: a\n    device: l4\n    slots: 0\n',
    error: 'f.yaml:4: endpoints[0].slots: found 0, allowed: at least 1',
  },
  {
    text: 'endpoints:\n  - { name: a, device: l4, count: 2 }\n  - { name: a-2, device: l4 }\n',
    error: 'f.yaml:3: endpoints[1].name: found a-2 twice, allowed: a name for one',
  },
])('what cannot be read is said with its place: $error', ({ text, error }) => {
  expect(() => parseFleetFile(text, 'f.yaml')).toThrow(error)
})

test.each([
  {
    linear: '[[2048, 8], [1, 80]]',
    more: '',
    told: 'linear: found [[2048,8],[1,80]], allowed: pairs of [tokens, ms] with more tokens in each',
  },
  {
    linear: '[[1, 80], [512, 8]]',
    more: '',
    told: 'allowed: pairs of [tokens, ms] of which the last takes no less than the one before',
  },
  { linear: '[[1, 1e-300], [2, 1]]', more: '', told: 'found 1e-300, allowed: at least 0.001' },
  {
    linear: '[[1, 8], [2, 9]]',
    more: 'count: 1000000000,',
    told: 'count: found 1000000000, allowed: at most 10000',
  },
])('numbers that nothing can be simulated with are told: $told', ({ linear, more, told }) => {
  const stepTime = `{ linear: ${linear}, decodeMsPerContextToken: 0, prefillMsPerTokenPair: 0 }`
  const text = `endpoints:\n  - { name: a, device: mine, ${more} stepTime: ${stepTime} }\n`
  expect(() => parseFleetFile(text, 'f')).toThrow(told)
})
