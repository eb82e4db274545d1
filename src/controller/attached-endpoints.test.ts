import { expect, test } from 'vitest'
import { attachedName, chooseFound } from '#controller/attached-endpoints.ts'
import { applyEvent, type ClusterState, emptyCluster } from '#controller/cluster-state.ts'
import { nodeId } from '#core/ids.ts'
import type { FoundEngine } from '#protocol/agent-messages.ts'

const found = (engine: string, port: number): FoundEngine => ({
  engine,
  port,
  version: null,
  models: [],
  state: 'ready',
  detail: null,
})

const [ollama, first, second] = [
  found('ollama', 11_434),
  found('llama-server', 8_080),
  found('llama-server', 8_081),
]

test.each([
  { what: 'ollama', port: 11_434 },
  { what: '8081', port: 8_081 },
])('$what means the engine on port $port', ({ what, port }) => {
  expect(chooseFound('desk', [ollama, first, second], what)).toMatchObject({
    kind: 'chosen',
    engine: { port },
  })
})

test('a port where nothing was seen is for the agent to look at', () => {
  expect(chooseFound('desk', [ollama], '8001')).toEqual({ kind: 'port', port: 8_001 })
})

test.each([
  {
    what: 'llama-server',
    message: 'desk has 2 of llama-server: say which by its port, one of 8080, 8081',
  },
  {
    what: 'vllm',
    message:
      'no vllm was found on desk; there is ollama on port 11434, llama-server on port 8080, llama-server on port 8081; one on another port is named by that, as desk/8001',
  },
  { what: '70000', message: '70000 is no port: they go from 1 to 65535' },
])('$what is refused: $message', ({ what, message }) => {
  expect(chooseFound('desk', [ollama, first, second], what)).toEqual({ kind: 'refused', message })
})

test('an endpoint is called after engine and node, and after its port where that is taken', () => {
  expect(attachedName(ollama, 'desk', () => false)).toBe('ollama-desk')
  expect(attachedName(second, 'my desk', (name) => name === 'llama-server-my-desk')).toBe(
    'llama-server-my-desk-8081',
  )
})

test('what is attached is remembered until it is detached, or its node is revoked', () => {
  const endpoint = (id: string, node: string) =>
    ({ id, node: nodeId(node), port: 11_434, engine: 'ollama' }) as const
  const attached = [
    endpoint('one', 'desk'),
    endpoint('two', 'desk'),
    endpoint('three', 'rack'),
  ].reduce(
    (state: ClusterState, one) =>
      applyEvent(state, { type: 'endpoint-attached', endpoint: one }, 0),
    emptyCluster,
  )
  const less = applyEvent(attached, { type: 'endpoint-detached', endpoint: 'one' }, 0)
  expect(Object.keys(less.attached)).toEqual(['two', 'three'])
  const without = applyEvent(less, { type: 'node-revoked', node: nodeId('desk') }, 0)
  expect(Object.keys(without.attached)).toEqual(['three'])
})
