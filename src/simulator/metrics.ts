/** What a run was like for those who sent requests, in numbers. */
import type { LatencyTargets } from '#routing/dispatcher.ts'
import type { Outcome } from '#simulator/outcome.ts'
import type { SimulationResult } from '#simulator/simulation.ts'

export interface Distribution {
  readonly mean: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export interface Metrics {
  /** Requests that arrived in the measured time. */
  readonly requests: number
  /** Requests a second that arrived in the measured time: bursts make it more or less than on average. */
  readonly ratePerSecond: number
  /** Requests a second that kept both targets. */
  readonly goodput: number
  /** Part of all requests that kept both targets; rejected and unanswered ones did not. */
  readonly attainment: number
  readonly rejected: number
  /** Neither answered nor rejected when the run was ended. */
  readonly unanswered: number
  /** Those without a first token count from arrival to the end of the run. */
  readonly ttftMs: Distribution
  readonly tpotMs: Distribution
  /** From arrival to the last token, for each token of the answer. */
  readonly msPerToken: Distribution
  /** Part of the requests that each endpoint got; no endpoint got the rest. */
  readonly shares: readonly number[]
  /** Parts of the requests that no endpoint got: they were refused, or waited when the run was ended. */
  readonly refusedShare: number
  readonly waitingShare: number
  readonly preemptions: number
  /** Part of the prompt tokens that engines found in their caches. */
  readonly prefixHitRatio: number
  /** Attainment of each model that was asked for. */
  readonly attainmentByModel: Readonly<Record<string, number>>
  /** Attainment of the client that fared worst, among those with at least ten requests. */
  readonly worstClient: number
  /** Host time for each arrival, microseconds: everything the dispatcher was asked and told. */
  readonly decisionUs: number
  readonly decisionUsMax: number
}

export interface Measured {
  readonly fromMs: number
  readonly untilMs: number
  readonly endpoints: number
}

/** A client with fewer requests says more about chance than about fairness. */
const clientRequestsMin = 10

export function metricsOf(result: SimulationResult, measured: Measured): Metrics {
  const { fromMs, untilMs } = measured
  const outcomes = result.outcomes.filter(
    ({ arrival: { atMs }, bypassed }) => !bypassed && atMs >= fromMs && atMs < untilMs,
  )
  const ttfts: number[] = []
  const tpots: number[] = []
  const perToken: number[] = []
  const shares = new Array<number>(measured.endpoints).fill(0)
  const clients = new Map<string, Tally>()
  const models = new Map<string, Tally>()
  let kept = 0
  let prompt = 0
  let hits = 0
  for (const outcome of outcomes) {
    const { arrival, firstTokenMs, endMs, tokens, endpoint } = outcome
    const tallies = [tallyOf(clients, arrival.client), tallyOf(models, arrival.model)]
    for (const tally of tallies) tally.requests++
    ttfts.push((firstTokenMs ?? result.endMs) - arrival.atMs)
    if (endpoint >= 0) shares[endpoint] = (shares[endpoint] as number) + 1
    if (firstTokenMs === null || endMs === null) continue
    prompt += arrival.promptTokens
    hits += outcome.hitTokens
    if (tokens > 1) tpots.push((endMs - firstTokenMs) / (tokens - 1))
    perToken.push((endMs - arrival.atMs) / tokens)
    if (keepsTargets(outcome, arrival.targets)) {
      kept++
      for (const tally of tallies) tally.kept++
    }
  }
  const requests = outcomes.length
  const shareOf = (count: number) => (requests === 0 ? 0 : count / requests)
  const unsent = outcomes.filter(({ endpoint }) => endpoint < 0)
  const refused = unsent.filter(({ rejected }) => rejected).length
  return {
    requests,
    ratePerSecond: (requests * 1000) / (untilMs - fromMs),
    goodput: (kept * 1000) / (untilMs - fromMs),
    attainment: requests === 0 ? 1 : kept / requests,
    rejected: outcomes.filter(({ rejected }) => rejected).length,
    unanswered: outcomes.filter(({ rejected, endMs }) => !rejected && endMs === null).length,
    ttftMs: distributionOf(ttfts),
    tpotMs: distributionOf(tpots),
    msPerToken: distributionOf(perToken),
    shares: shares.map(shareOf),
    refusedShare: shareOf(refused),
    waitingShare: shareOf(unsent.length - refused),
    preemptions: result.preemptions,
    prefixHitRatio: prompt === 0 ? 0 : hits / prompt,
    attainmentByModel: Object.fromEntries(
      [...models].map(([model, tally]) => [model, tally.kept / tally.requests]),
    ),
    worstClient: Math.min(
      1,
      ...[...clients.values()]
        .filter((client) => client.requests >= clientRequestsMin)
        .map((client) => client.kept / client.requests),
    ),
    decisionUs: (result.decisionMs * 1000) / Math.max(1, result.outcomes.length),
    decisionUsMax: result.decisionMsMax * 1000,
  }
}

interface Tally {
  requests: number
  kept: number
}

function tallyOf(tallies: Map<string, Tally>, name: string): Tally {
  const tally = tallies.get(name) ?? { requests: 0, kept: 0 }
  tallies.set(name, tally)
  return tally
}

/** Whether an answer was as fast as was asked for. */
export function keepsTargets(outcome: Outcome, targets: LatencyTargets): boolean {
  const { arrival, firstTokenMs, endMs, tokens } = outcome
  if (firstTokenMs === null || endMs === null) return false
  if (targets.ttftMs !== null && firstTokenMs - arrival.atMs > targets.ttftMs) return false
  if (targets.tpotMs === null || tokens <= 1) return true
  return (endMs - firstTokenMs) / (tokens - 1) <= targets.tpotMs
}

/** Percentiles by the nearest rank. */
function distributionOf(values: number[]): Distribution {
  if (values.length === 0) return { mean: 0, p50: 0, p95: 0, p99: 0 }
  const sorted = Float64Array.from(values).sort()
  const rank = (ratio: number) =>
    sorted[Math.min(sorted.length - 1, Math.ceil(ratio * sorted.length) - 1)] as number
  return {
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    p50: rank(0.5),
    p95: rank(0.95),
    p99: rank(0.99),
  }
}
