/** What the engine counts, and the Prometheus page that shows it. */
export class EngineMetrics {
  requestsTotal = 0
  requestsAbortedTotal = 0
  /** Prompt tokens that were computed; those found in a cache are counted apart. */
  promptTokensTotal = 0
  promptTokensCachedTotal = 0
  generatedTokensTotal = 0
  promptMsTotal = 0
  generateMsTotal = 0
}

/** What is true only at the moment of reading. */
export interface EngineGauges {
  readonly requestsProcessing: number
  readonly requestsDeferred: number
  readonly slotsTotal: number
  /** Tokens that the KV cache holds, of all slots together. */
  readonly kvTokens: number
  /** The part of it that requests with a slot have filled. */
  readonly kvCacheUsageRatio: number
  readonly contextTokens: number
}

export function renderMetrics(metrics: EngineMetrics, gauges: EngineGauges): string {
  const lines: string[] = []
  const add = (type: 'counter' | 'gauge', name: string, help: string, value: number): void => {
    const full = `motley_embedded_${name}`
    lines.push(`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, `${full} ${value}`)
  }
  add('gauge', 'requests_processing', 'Requests that have a slot.', gauges.requestsProcessing)
  add('gauge', 'requests_deferred', 'Requests that wait for a slot.', gauges.requestsDeferred)
  add('gauge', 'slots_total', 'Requests that can be served at once.', gauges.slotsTotal)
  add('gauge', 'context_tokens', 'Context of one slot.', gauges.contextTokens)
  add('gauge', 'kv_cache_tokens', 'Tokens that the KV cache holds.', gauges.kvTokens)
  add(
    'gauge',
    'kv_cache_usage_ratio',
    'Part of the KV cache that requests with a slot have filled.',
    gauges.kvCacheUsageRatio,
  )
  add('counter', 'requests_total', 'Requests that got a slot.', metrics.requestsTotal)
  add(
    'counter',
    'requests_aborted_total',
    'Requests whose client left.',
    metrics.requestsAbortedTotal,
  )
  add('counter', 'prompt_tokens_total', 'Prompt tokens computed.', metrics.promptTokensTotal)
  add(
    'counter',
    'prompt_tokens_cached_total',
    'Prompt tokens found in a cache.',
    metrics.promptTokensCachedTotal,
  )
  add('counter', 'generated_tokens_total', 'Tokens written.', metrics.generatedTokensTotal)
  add('counter', 'prompt_seconds_total', 'Time spent on prompts.', metrics.promptMsTotal / 1000)
  add('counter', 'generate_seconds_total', 'Time spent on writing.', metrics.generateMsTotal / 1000)
  return `${lines.join('\n')}\n`
}
