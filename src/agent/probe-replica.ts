/** Asks the engine of a replica how it is, on the loopback interface of this machine. */

import type { PageFetcher } from '#agent/page-fetcher.ts'
import type { ProbeVerdict } from '#agent/replicas/replica-machine.ts'
import type { ReplicaSpec } from '#agent/replicas/replica-spec.ts'
import { engines } from '#engines/index.ts'
import { openai } from '#engines/openai.ts'

/** An engine in a long prefill answers late; one that takes longer is told apart by its state. */
const probeMsMax = 2_000

export async function probeReplica(
  fetchPage: PageFetcher,
  { port, about }: ReplicaSpec,
  signal: AbortSignal,
): Promise<ProbeVerdict> {
  const engine = engines.find(({ id }) => id === about['engine']) ?? openai
  const outcome = await fetchPage({
    url: `http://127.0.0.1:${port}`,
    path: engine.health.path,
    apiKey: undefined,
    timeoutMs: probeMsMax,
    signal,
  })
  switch (outcome.kind) {
    case 'answer':
      return engine.health.read(outcome.answer)
    case 'refused':
      return 'refused'
    case 'connect-timeout':
    case 'answer-timeout':
      return 'silent'
    case 'malformed':
      return 'unhealthy'
  }
}
