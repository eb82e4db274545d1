/** `motley load` against a gateway with emulated engines, as a user types it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { motley } from './harness/command.ts'
import { endpointsOf, engine, fleet } from './harness/fleet.ts'

const small = ['--rate', '40', '--duration', '1s', '--prompt-tokens', '20', '--output-tokens', '8']

test('a load tells times, tokens, who answered, and holds its thresholds', async () => {
  const { url } = await fleet({
    endpoints: endpointsOf({ rtx: await engine(), amd: await engine() }),
  })
  const { code, out } = await motley([
    'load',
    ...small,
    '--url',
    url,
    '--seed',
    '7',
    '--json',
    '--threshold',
    'failed<1%',
  ])
  const report = JSON.parse(out)
  expect(code).toBe(0)
  expect(report).toMatchObject({
    scenario: 'chat',
    failedRatio: 0,
    outcomes: { answered: report.requests },
    thresholds: [{ threshold: 'failed<1%', value: 0, holds: true }],
  })
  // 40 expected; the seed decides.
  expect(report.requests).toBeGreaterThan(20)
  expect(Object.keys(report.endpoints).toSorted()).toEqual(['amd', 'rtx'])
  expect(report.ttftMs.p50).toBeGreaterThan(0)
  // Each answer is as long as was asked for: 8 tokens in the mean.
  expect(report.completionTokens).toBeGreaterThan(report.requests * 3)
})

test('a threshold that does not hold is named, and is exit code 1', async () => {
  const { url } = await fleet({ endpoints: endpointsOf({ rtx: await engine() }) })
  const { code, out, err } = await motley([
    'load',
    ...small,
    '--url',
    url,
    '--threshold',
    'p50(e2e)<0.001ms',
  ])
  expect(code).toBe(1)
  expect(err).toContain('motley: a threshold does not hold: p50(e2e)<0.001ms')
  expect(out).toContain('FAILED  p50(e2e)<0.001ms')
  expect(out.split('\n').filter((line) => line.length > 80)).toEqual([])
})

test('prompts that no model could read are refused before any is written', async () => {
  const { code, err } = await motley(['load', '--prompt-tokens', '1e12', '--url', 'http://[::1]:9'])
  expect(code).toBe(2)
  expect(err).toContain('is above 10000000: lower --prompt-tokens, or look at the trace')
})

test('answers that are cut or refused are counted by what they are', async () => {
  const broken = await engine({ faults: ['status:400'] })
  const { url } = await fleet({ endpoints: endpointsOf({ broken }) })
  const { code, out } = await motley(['load', ...small, '--url', url, '--json'])
  const { outcomes, requests } = JSON.parse(out)
  expect(code).toBe(1)
  expect(Object.values(outcomes)).toEqual([requests])
  expect(Object.keys(outcomes)[0]).toMatch(/^400/)
})

test('a load of which most failed ends with 1, unless a threshold says how many may', async () => {
  const broken = async () => {
    const { url } = await fleet({
      endpoints: endpointsOf({ rtx: await engine({ faults: ['status:400@first=25'] }) }),
    })
    return url
  }
  const failed = await motley(['load', ...small, '--url', await broken()])
  expect(failed.code).toBe(1)
  expect(failed.err).toMatch(/^motley: most requests failed: 25 of \d+; --threshold "failed<…"/m)
  const threshold = ['--threshold', 'failed<100%']
  const allowed = await motley(['load', ...small, '--url', await broken(), ...threshold])
  expect(allowed.code).toBe(0)
})

test('a trace is sent as it was recorded, twice as fast', async () => {
  const { url } = await fleet({ endpoints: endpointsOf({ rtx: await engine() }) })
  const folder = mkdtempSync(join(tmpdir(), 'motley-load-'))
  afterTest(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'mine.csv')
  writeFileSync(file, 'arrival_s,prompt_tokens,output_tokens\n0,20,3\n0.2,30,4\n0.4,10,5\n')
  const { code, out } = await motley([
    'load',
    '--trace',
    file,
    '--time-scale',
    '0.5',
    '--url',
    url,
    '--json',
  ])
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ scenario: 'trace', requests: 3, completionTokens: 12 })
})

test.each([
  { args: ['load', 'chatt'], says: 'there is no scenario "chatt"' },
  { args: ['load', '--rate', 'fast'], says: '--rate takes a number above 0, not "fast"' },
  { args: ['load', '--duration', '5'], says: '--duration needs the unit of its time: 5s' },
  { args: ['load', '--slo', 'ttf=2s'], says: '--slo takes targets' },
  { args: ['load', '--threshold', 'ttft<2'], says: '"ttft<2" is no threshold' },
  { args: ['load', 'trace'], says: 'the scenario trace needs a file' },
  {
    args: ['load', 'stress', '--time-scale', '2'],
    says: '--time-scale is for the scenario trace, not for stress',
  },
  {
    args: ['load', '--trace', 'mine.csv', '--rate', '4'],
    says: '--rate is for chat, ramp, stress, prompt-length: a trace says itself',
  },
  {
    args: ['load', '--output-tokens', '1e9', '--url', 'http://[::1]:9'],
    says: 'is above 10000000: lower --output-tokens, or look at the trace',
  },
  { args: ['load', '--trace', '/nowhere.csv'], says: '/nowhere.csv: there is no such file' },
])('$args is told what is wrong with it', async ({ args, says }) => {
  const { code, err } = await motley(args)
  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(says) })
})

test('a model that nobody serves is asked for once, of the list, and not by every request', async () => {
  const served = await engine({ models: ['llama-3.1-8b'] })
  const { url } = await fleet({ endpoints: endpointsOf({ served }) })
  const { code, err } = await motley(['load', ...small, '--model', 'llama-3.1-8', '--url', url])
  expect({ code, err }).toEqual({
    code: 1,
    err: 'motley: --model "llama-3.1-8" is not served there: there is llama-3.1-8b; did you mean llama-3.1-8b?\n',
  })
  expect(served.stats().started).toBe(0)
})

test('a load on a port where nothing listens says so, and is exit code 3', async () => {
  const { code, err } = await motley([
    'load',
    ...small,
    '--model',
    'm',
    '--url',
    'http://127.0.0.1:1',
  ])
  expect({ code, err }).toEqual({
    code: 3,
    err: expect.stringContaining('no gateway answers at http://127.0.0.1:1'),
  })
})
