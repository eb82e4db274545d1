/** Health pages as several engines answer them. */
import type { Engine, EngineAnswer } from '#engines/engine.ts'

type Verdict = ReturnType<Engine['health']['read']>

/** Nothing listens while it loads, or it loads before it says 200. */
export function readyBy200({ status }: EngineAnswer): Verdict {
  return status === 200 ? 'ready' : 'unhealthy'
}

/** It listens early, and says 503 until it can answer. */
export function loadingBy503({ status }: EngineAnswer): Verdict {
  if (status === 200) return 'ready'
  return status === 503 ? 'loading' : 'unhealthy'
}
