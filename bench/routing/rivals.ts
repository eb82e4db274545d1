/** The policies that are compared, in the order in which tables show them, and what each stands for. */
export interface Rival {
  readonly name: string
  /** Short enough for the head of a table. */
  readonly short: string
  readonly standsFor: string
}

export const rivals: readonly Rival[] = [
  {
    name: 'fastest',
    short: '**fastest**',
    standsFor: "Motley's default: predicted seconds, late binding",
  },
  {
    name: 'fastest-immediate',
    short: 'immediate',
    standsFor: 'the same predictions, but every request is sent when it comes',
  },
  {
    name: 'least-connections-queue',
    short: 'leastconn + maxconn',
    standsFor:
      'HAProxy: `leastconn`, ideal weights, `maxconn` per server tuned for each fleet and trace, one queue',
  },
  {
    name: 'least-connections',
    short: 'leastconn',
    standsFor: 'HAProxy, Envoy: `leastconn` with ideal weights, (n + 1) / weight',
  },
  {
    name: 'round-robin',
    short: 'weighted RR',
    standsFor: 'smooth weighted round robin with ideal weights, as nginx',
  },
  { name: 'even-round-robin', short: 'RR', standsFor: 'round robin' },
  {
    name: 'power-of-two',
    short: 'weighted P2C',
    standsFor: 'two choices, drawn by weight, the fewer requests per weight',
  },
  { name: 'two-choices', short: 'P2C', standsFor: 'two choices, drawn evenly, the fewer requests' },
  { name: 'least-busy', short: 'least busy', standsFor: "LiteLLM's `least-busy`" },
  { name: 'prefix', short: 'cache-aware', standsFor: "SGLang's cache-aware router, its defaults" },
  {
    name: 'prefix-load',
    short: 'lmetric',
    standsFor: 'new prompt tokens × (requests + 1), a later cache-aware form',
  },
  {
    name: 'load-scores',
    short: 'queue + KV',
    standsFor:
      'default scorers of the Gateway API inference extension and llm-d, reports 50 ms old',
  },
  {
    name: 'kv-cost',
    short: 'KV cost',
    standsFor: "Dynamo's KV router: new blocks + blocks in use",
  },
  { name: 'scored', short: 'scored', standsFor: 'a sum of marks, in the manner of Herd' },
]

/** Of those, the one whose limits are tuned on each fleet and trace before it is judged. */
export const tunedRival = 'least-connections-queue'

export const limitRatios = [0.6, 0.7, 0.8, 0.9, 1, 1.15, 1.3] as const

/** Of those, the ones that know of load only what engines report: they read it as often as llm-d does. */
export const goByReports: readonly string[] = ['load-scores', 'scored']
