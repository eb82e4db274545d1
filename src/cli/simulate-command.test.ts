/** `motley simulate` as a person types it, on small fleets and short traces. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createProgram } from '#cli/program.ts'
import { parseFleetFile } from '#simulator/fleet-file.ts'
import { seededChance } from '#std/seeded-chance.ts'

// A solver and a simulation take their time on a busy machine.
vi.setConfig({ testTimeout: 90_000 })

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motley-simulate-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

/** What it prints. Rejects with what `motley` would say. */
async function simulate(...args: string[]): Promise<string> {
  const lines: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line))
  try {
    await (await createProgram(['simulate'])).parseAsync(['node', 'motley', 'simulate', ...args])
  } finally {
    log.mockRestore()
  }
  return lines.join('\n')
}

const fast =
  '{ linear: [[1, 8], [2048, 80]], decodeMsPerContextToken: 0.0001, prefillMsPerTokenPair: 0 }'
const slow =
  '{ linear: [[1, 60], [512, 1200]], decodeMsPerContextToken: 0.001, prefillMsPerTokenPair: 0 }'
const smallFleet = `endpoints:
  - { name: fast, device: mine, stepTime: ${fast}, kvTokens: 60000 }
  - { name: slow, device: old, stepTime: ${slow}, slots: 4, kvTokens: 8000 }
`

function traceText(rows: number, perSecond: number): string {
  const chance = seededChance(7)
  const lines = Array.from({ length: rows }, (_, row) => {
    const prompt = 100 + Math.floor(chance() * 900)
    return `${(row + chance()) / perSecond},${prompt},${10 + Math.floor(chance() * 90)}`
  })
  return `arrival_s,prompt_tokens,output_tokens\n${lines.join('\n')}\n`
}

test('policies are compared in tables 80 columns wide', async () => {
  const fleet = await file('fleet.yaml', smallFleet)
  const trace = await file('trace.csv', traceText(120, 4))
  const text = await simulate(
    ...['compare', '--fleet', fleet, '--trace', trace, '--load', '0.6', '--duration', '30s'],
    ...['--policies', 'round-robin,even-round-robin'],
  )
  const plain = text.replaceAll('\u00a0', ' ')
  expect(plain.split('\n').filter((line) => line.length > 80)).toEqual([])
  await expect(`${plain}\n`).toMatchFileSnapshot('../../fixtures/cli/simulate-compare.txt')
})

test('the same is told as JSON, and one seed makes one result', async () => {
  const fleet = await file('fleet.yaml', smallFleet)
  const trace = await file('trace.csv', traceText(120, 4))
  const asked = ['compare', '--fleet', fleet, '--trace', trace, '--load', '0.5', '--json']
  const short = ['--duration', '20s', '--policies', 'fastest']
  const [one, again] = [await simulate(...asked, ...short), await simulate(...asked, ...short)]
  expect(again).toBe(one)
  expect(JSON.parse(one)).toMatchObject({
    endpoints: ['fast', 'slow'],
    targets: { ttftMs: 2_000, tpotMs: 100 },
    rows: [{ load: 0.5, policy: 'fastest', metrics: { rejected: 0 } }],
  })
})

test('an access log is replayed at its own rate, or at a multiple of it', async () => {
  const fleet = await file('fleet.yaml', smallFleet)
  const entries = Array.from({ length: 60 }, (_, at) =>
    JSON.stringify({
      time: new Date(Date.UTC(2026, 10, 28, 1, 0, 0, at * 500 + 800)).toISOString(),
      ...{ key: 'app', model: 'llama', status: at === 9 ? 503 : 200, totalMs: 800 },
      ...{ promptTokens: 300, completionTokens: 40 },
    }),
  )
  const log = await file('access.log', entries.join('\n'))
  const text = await simulate('replay', log, '--fleet', fleet, '--times', '1,2')
  expect(text).toContain('1 request that failed left out')
  expect(text).toContain('as recorded: 1.97 requests/s')
  expect(text).toContain('2 times as many as recorded: 3.93 requests/s')
})

/** Nobody listens there, so that no gateway of this machine has a say. */
const noGateway = 'http://127.0.0.1:9'

async function logOf(endpoints: readonly (string | null)[]): Promise<string> {
  const entries = endpoints.map((endpoint, at) =>
    JSON.stringify({
      time: new Date(Date.UTC(2026, 10, 28, 1, 0, at)).toISOString(),
      ...{ key: null, model: 'motley-tiny', status: 200, endpoint, attempts: ['ok'] },
      ...{ stream: true, queueMs: 0, ttftMs: 200, totalMs: 600 },
      ...{ promptTokens: 100, completionTokens: 41 },
    }),
  )
  return file('answered.log', entries.join('\n'))
}

test('a log without a fleet is replayed on those that answered there, which is said', async () => {
  vi.stubEnv('MOTLEY_URL', noGateway)
  const log = await logOf(['embedded', 'rtx', 'embedded'])
  const text = (await simulate('replay', log)).replaceAll(/\n +/g, ' ')
  expect(text).toContain('the fleet is who answered in the log, as fast as there: embedded, rtx')
  expect(text).toContain('for another, give --fleet; "motley simulate fleet --from-log')
  expect(text).toMatch(/^fastest: embedded.\d+.%, rtx.\d+.%$/m)
  const written = parseFleetFile(await simulate('fleet', '--from-log', log), 'written')
  expect(written).toMatchObject([
    { name: 'embedded', models: ['motley-tiny'] },
    { name: 'rtx', models: ['motley-tiny'] },
  ])
  vi.unstubAllEnvs()
})

test.each(['desk', 'homelab', 'platform'])('%s becomes a fleet that can be read', async (name) => {
  const path = fileURLToPath(new URL(`../../examples/${name}/inventory.json`, import.meta.url))
  const text = await simulate('fleet', '--from-inventory', path)
  expect(parseFleetFile(text, name).length).toBeGreaterThan(0)
  await expect(`${text}\n`).toMatchFileSnapshot(`../../fixtures/cli/simulate-fleet-${name}.yaml`)
})

test.each([
  {
    args: ['compare', '--fleet', 'nowhere'],
    error: 'there is no such file; it takes a file, or one of lab',
  },
  { args: ['compare', '--trace', 'nowhere'], error: 'one of azure2023-conv' },
  { args: ['compare', '--policies', 'fastet'], error: 'did you mean "fastest"?' },
  { args: ['compare', '--fleet', 'labb'], error: 'homog, multi; did you mean "lab"?' },
  { args: ['compare', '--load', '0.2,50%'], error: 'not "50%"; did you mean "0.5"?' },
  { args: ['compare', '--load', '80'], error: '--load takes numbers up to 5, not "80"' },
  { args: ['compare', '--slo', 'ttft=2s'], error: '--slo takes ttft and tpot here' },
  {
    args: ['compare', '--duration', '10ms', '--load', '0.1', '--policies', 'round-robin'],
    error: 'no request comes in the time that counts, at 2.5 a second: give a longer --duration',
  },
  {
    args: ['fleet', '--from-inventory', '/nope'],
    error: '--from-inventory /nope: there is no such file; "motley nodes --json" prints one',
  },
  { args: ['compare', '--context', 'short'], error: '--context takes a whole number from 64' },
  {
    args: ['replay', 'nowhere.log'],
    error: 'nowhere.log: there is no such file; "gateway.accessLog"',
  },
  {
    args: ['compare', '--fleet', 'multi'],
    error: 'azure2023-conv.csv.gz names no models, and the fleet serves several (m-small',
  },
  {
    args: ['compare', '--fleet', 'multi', '--trace', 'servegen-multimodel', '--load', '1e3'],
    error: '--load takes numbers up to 5',
  },
])('what is wrong is said: $args', async ({ args, error }) => {
  await expect(simulate(...args)).rejects.toThrow(error)
})

test('a trace that names no models asks for the only one that the fleet serves, which is said', async () => {
  const models = smallFleet.replaceAll('kvTokens', 'models: [llama], kvTokens')
  const fleet = await file('one-model.yaml', models)
  const trace = await file('trace.csv', traceText(120, 4))
  const asked = ['compare', '--fleet', fleet, '--trace', trace, '--load', '0.5', '--json']
  const told = JSON.parse(await simulate(...asked, '--duration', '20s', '--policies', 'random'))
  expect(told.remarks).toEqual([
    'requests that name no model are for llama, which is all that the fleet serves',
  ])
  expect(Object.keys(told.rows[0].metrics.attainmentByModel)).toEqual(['llama'])
})

test('a run of more requests than memory holds is refused, with what would do', async () => {
  const fleet = await file('fleet.yaml', smallFleet)
  const trace = await file('trace.csv', traceText(120, 4))
  const asked = ['compare', '--fleet', fleet, '--trace', trace, '--duration', '500h']
  await expect(simulate(...asked)).rejects.toThrow(
    /^--duration of so long are [\d.]+ million requests in one run, .*: at this load take \d+h$/,
  )
})

test('a trace that asks for a model nobody serves is no comparison', async () => {
  const fleet = await file('one.yaml', 'endpoints: [{ name: a, device: l4, models: [small] }]\n')
  const trace = await file(
    'models.csv',
    'arrival_s,prompt_tokens,output_tokens,model\n0,10,10,small\n1,10,10,large\n',
  )
  await expect(simulate('compare', '--fleet', fleet, '--trace', trace)).rejects.toThrow(
    'asks for large, which no endpoint of the fleet serves',
  )
})
