/** Endpoints of known and of unknown speed, and what `fastest` does with requests for them. */
import type { DispatchEndpoint, Dispatcher } from '#routing/dispatcher.ts'
import { Fastest } from '#routing/fastest/fastest.ts'
import type { StepSpeed } from '#routing/step-speed.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { endpointView } from '#testing/endpoint-view.ts'

/** Reads 1,000 prompt tokens in about `second`, and decodes a token in a fiftieth of it. */
export const speed = (second: number): StepSpeed => ({
  fixedMs: 0,
  linearMs: [
    [1, 20 * second],
    [2048, 2_048 * second],
  ],
  decodeMsPerContextToken: 0,
  prefillMsPerTokenPair: 0,
})

export function endpoint(name: string, more: Partial<DispatchEndpoint> = {}): DispatchEndpoint {
  return {
    view: endpointView(name),
    serves: () => true,
    limits: { seats: 8, kvTokens: 50_000, batchTokens: 2048 },
    speed: speed(1),
    ...more,
  }
}

export const plainUrl: Partial<DispatchEndpoint> = {
  limits: { seats: null, kvTokens: null, batchTokens: null },
  speed: null,
}

export function fastest(endpoints: readonly DispatchEndpoint[], explain = false): Dispatcher {
  const dispatcher: Dispatcher = new Fastest({ chance: seededChance(1), explain })
  dispatcher.endpoints(endpoints, 0)
  return dispatcher
}

export const answered = { kind: 'answered', cachedTokens: null, tokens: null } as const

/** What is done at this time, as "request > endpoint" or "request ! reason". */
export function obeyed(dispatcher: Dispatcher, nowMs: number): string[] {
  const done: string[] = []
  for (;;) {
    const dispatch = dispatcher.next(nowMs)
    if (dispatch === null) return done
    done.push(
      dispatch.kind === 'send'
        ? `${dispatch.request.id} > ${dispatch.endpoint}`
        : `${dispatch.request.id} ! ${dispatch.because.kind}`,
    )
  }
}
