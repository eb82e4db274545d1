import type { ReplicaSpec } from '#protocol/agent-messages.ts'

/** A wish that leaves to its agent all that it may, but for what the test says. */
export function wishedReplica(id: string, more: Partial<ReplicaSpec> = {}): ReplicaSpec {
  return {
    id,
    model: 'tiny',
    source: 'file:/tiny.gguf',
    engine: null,
    backend: null,
    deviceIndexes: null,
    contextTokens: null,
    slots: null,
    kind: 'native',
    extraArguments: [],
    ...more,
  }
}
