import { expect, test } from 'vitest'
import {
  deploymentLines,
  deploymentStatuses,
  recordingLines,
  recordingsAnswer,
} from '#cli/status-deployments.ts'

const chat = { name: 'chat', model: 'llama-3.1-8b' }
const replica = (presence: string, state: string, deployment: string | null = 'chat') => ({
  spec: { id: `${deployment ?? 'by-hand'}-${presence}-${state}` },
  nodeName: 'tower',
  presence,
  silentMs: presence === 'lost' ? 200_000 : 1_000,
  placed: deployment === null ? null : { deployment },
  reported: { state },
})

test('counts replicas that are ready, on nodes that are heard', () => {
  const replicas = [
    replica('ready', 'ready'),
    replica('ready', 'loading'),
    replica('lost', 'ready'),
    replica('ready', 'ready', null),
  ]
  const standings = { chat: { wanted: 3 } }
  const answer = deploymentStatuses({ deployments: [chat], standings, replicas }, [])
  const unheard = { replica: 'chat-lost-ready', nodeName: 'tower', presence: 'lost' }
  expect(answer).toEqual([
    { ...chat, ready: 1, wanted: 3, unheard: [{ ...unheard, silentMs: 200_000 }] },
  ])
  const lines = deploymentLines(answer)
  expect(lines.slice(-2)).toEqual([
    '  chat-lost-ready: tower is lost, last heard 3 min ago',
    '"motley why <deployment>" says what the others wait for.',
  ])
})

test.each([
  { endpoint: 'ready', ready: 1 },
  { endpoint: 'busy', ready: 1 },
  { endpoint: 'failed', ready: 0 },
  { endpoint: 'draining', ready: 0 },
])('a replica whose endpoint is $endpoint counts as $ready ready', ({ endpoint, ready }) => {
  const placement = { deployments: [chat], replicas: [replica('ready', 'ready')] }
  const endpoints = [{ name: 'chat-ready-ready', state: endpoint }]
  expect(deploymentStatuses(placement, endpoints)).toMatchObject([{ ready }])
})

test('a deployment that has all it wants gives no advice', () => {
  const lines = deploymentLines([{ ...chat, ready: 1, wanted: 1, unheard: [] }])
  expect(lines.slice(1)).toEqual([
    'DEPLOYMENT  MODEL         READY  WANTED',
    'chat        llama-3.1-8b      1       1',
  ])
})

test('recordings of machines are told by name, and machines are not', () => {
  const nodes = [
    { name: 'mac', inventory: { isRecording: true } },
    { name: 'desk', inventory: {} },
    { name: 'new', inventory: null },
  ]
  const lines = recordingLines(recordingsAnswer.parse({ nodes }))
  expect(lines).toEqual(['', 'mac is a recording of a machine: nothing runs there.'])
  expect(recordingLines(recordingsAnswer.parse({}))).toEqual([])
})

test('a gateway without a controller has no deployments', () => {
  expect(deploymentLines(deploymentStatuses({}, []))).toEqual([])
})

test('long names stay within 80 columns', () => {
  const long = {
    name: 'a'.repeat(48),
    model: `hf:${'b'.repeat(90)}`,
    ready: 12,
    wanted: 1_000,
    unheard: [],
  }
  const [, ...lines] = deploymentLines([long])
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
})
