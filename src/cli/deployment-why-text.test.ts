import { expect, test } from 'vitest'
import {
  deploymentOf,
  deploymentWhyText,
  plansAnswer,
  type WhyPlacement,
} from '#cli/deployment-why-text.ts'

const nowMs = Date.UTC(2026, 0, 2)
const minute = 60_000

const deployment = { name: 'chat' } as WhyPlacement['page']['deployments'][number]

const replica = {
  spec: { id: 'chat-1', model: 'llama-3.1-8b', source: 'hf:a/b', contextTokens: 8192, slots: 4 },
  node: 'node-2',
  nodeName: 'drizzt',
  presence: 'ready',
  draining: false,
  memory: null,
  reported: {
    state: 'loading',
    detail: null,
    engine: 'vllm',
    backend: 'rocm',
    pid: 7,
    port: 8123,
    restarts: 0,
    lastEnd: null,
    progress: null,
    alarms: [],
  },
  placed: {
    deployment: 'chat',
    devices: ['amd-0'],
    engine: 'vllm',
    backend: 'rocm',
    contextTokens: 8_192,
    slots: 4,
    plan: 'plan-2',
    because: 'khelben is lost, and chat-0 with it',
    wantedAtMs: nowMs - 3 * minute,
  },
}

const { plans } = plansAnswer.parse({
  plans: [
    {
      id: 'plan-2',
      madeAtMs: nowMs - 3 * minute,
      because: 'khelben is lost',
      steps: [
        {
          kind: 'start',
          step: 'start chat-1',
          because: 'khelben is lost, and chat-0 with it',
          replica: { id: 'chat-1', deployment: 'chat' },
        },
      ],
      unplaced: [
        {
          deployment: 'chat',
          missing: 1,
          because: [
            {
              check: 'memory',
              what: 'it needs 42.2 GiB of GeForce RTX 4090, and 20.5 GiB can be promised',
              unlockedBy: '21.7 GiB more',
            },
          ],
          waitsFor: ['khelben, which is lost'],
        },
      ],
      candidates: [
        {
          deployment: 'chat',
          node: 'node-2',
          devices: ['amd-0'],
          verdict: 'chosen',
          score: { answer: 8.5, fetch: 1.04 },
        },
        {
          deployment: 'chat',
          node: 'node-3',
          devices: ['intel-0'],
          verdict: 'runner-up',
          score: { answer: 12.25, fetch: 1.04, notes: 0.25 },
        },
      ],
    },
    {
      id: 'plan-1',
      madeAtMs: nowMs - 300 * minute,
      because: 'the configuration has changed',
      steps: [
        {
          kind: 'start',
          step: 'start chat-0',
          because: '2 of chat wanted, and 1 running',
          replica: { id: 'chat-0', deployment: 'chat' },
        },
        {
          kind: 'start',
          step: 'start stt-0',
          because: '1 of stt wanted, and 0 running',
          replica: { id: 'stt-0', deployment: 'stt' },
        },
      ],
      unplaced: [],
      candidates: [],
    },
  ],
})

const nodes = [
  ['node-1', 'khelben'],
  ['node-2', 'drizzt'],
  ['node-3', 'danilo'],
].map(([id, name]) => ({ id, name })) as WhyPlacement['picture']['nodes']

const why: WhyPlacement = {
  page: {
    wanted: null,
    deployments: [deployment],
    standings: {
      chat: {
        origin: 'applied',
        wanted: 2,
        because: '9 requests for 4 slots over 15 s',
        unread: [{ source: 'hf:a/c', because: 'the hub is not reached' }],
      },
    },
    reserve: 'none',
    plan: {
      id: 'plan-2',
      because: 'khelben is lost',
      steps: ['start chat-1', 'start stt-1'],
      underWay: ['start chat-1'],
    },
  },
  picture: {
    nodes,
    frozen: false,
    replicas: [replica, { ...replica, placed: null }],
    memory: [],
    speeds: [],
    failures: [
      {
        deployment: 'chat',
        node: 'node-3',
        because: 'The container runtime does not run. Start it, as with: systemctl start docker',
      },
    ],
  },
  plans,
}

test('a deployment is told with its replicas, what is in the way, and what happened', async () => {
  const text = deploymentWhyText(why, 'chat', nowMs)
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  await expect(`${text}\n`).toMatchFileSnapshot('../../fixtures/cli/why-deployment.txt')
})

test.each([
  ['chat', 'chat'],
  ['chat-1', 'chat'],
  ['stt', null],
])('%s is about the deployment %s', (name, of) => {
  expect(deploymentOf(why, name)).toBe(of)
})
