import { modelName, requestId } from '#core/ids.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'

/** A chat of usual size that somebody watches, but for what the test says. */
export function dispatchRequest(
  name: string,
  more: Partial<DispatchRequest> = {},
): DispatchRequest {
  return {
    id: requestId(name),
    model: modelName('m'),
    task: 'chat',
    streams: true,
    workUnits: null,
    promptTokens: 500,
    maxTokens: null,
    client: 'one',
    service: 'interactive',
    targets: { ttftMs: 2_000, tpotMs: 100 },
    prefixBlocks: [],
    prefixBlockTokens: 16,
    priority: 0,
    arrivedAtMs: 0,
    excluded: [],
    constraint: null,
    ...more,
  }
}
