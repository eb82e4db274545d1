import { expect, test } from 'vitest'
import {
  deploymentLines,
  deploymentsAnswer,
  recordingLines,
  recordingsAnswer,
} from '#cli/status-deployments.ts'

const chat = { name: 'chat', model: 'llama-3.1-8b' }
const replica = (presence: string, state: string, deployment: string | null = 'chat') => ({
  presence,
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
  const answer = deploymentsAnswer.parse({ deployments: [chat], standings, replicas })
  expect(answer).toEqual([{ ...chat, ready: 1, wanted: 3 }])
  expect(deploymentLines(answer).join('\n')).toContain('"motley why <deployment>"')
})

test('a deployment that has all it wants gives no advice', () => {
  const lines = deploymentLines([{ ...chat, ready: 1, wanted: 1 }])
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
  expect(deploymentLines(deploymentsAnswer.parse({}))).toEqual([])
})

test('long names stay within 80 columns', () => {
  const long = { name: 'a'.repeat(48), model: `hf:${'b'.repeat(90)}`, ready: 12, wanted: 1_000 }
  const [, ...lines] = deploymentLines([long])
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
})
