/**
 * The policies that a simulation compares: every strategy there is, each with the static
 * information that suits it best, and those which only differ in that information.
 */
import type { Dispatcher, DispatcherOptions } from '#routing/dispatcher.ts'
import { dispatcherNames, newDispatcher } from '#routing/index.ts'

/** Weights are what each endpoint can sustain, or all the same. */
type Weights = 'ideal' | 'even'

export interface Policy {
  readonly name: string
  readonly weights: Weights
  /** Requests at a time, as a part of what the endpoint can sustain; null for no limit. */
  readonly limitRatio: number | null
  /** Whether it goes by what engines report. */
  readonly readsReports: boolean
  readonly dispatcher: (options: DispatcherOptions) => Dispatcher
}

/** What the strongest rival is tuned by: the best of 0.6 to 1.3 on most fleets. */
const defaultLimitRatio = 0.8

const readers: readonly string[] = [
  'load-scores',
  'scored',
  'fastest',
  'fastest-immediate',
  'fastest-without-learning',
]

const plain = dispatcherNames.map(
  (name): Policy => ({
    name,
    weights: 'ideal',
    limitRatio: null,
    readsReports: readers.includes(name),
    dispatcher: (options) => newDispatcher(name, options),
  }),
)

const variants: readonly Policy[] = [
  {
    name: 'even-round-robin',
    weights: 'even',
    limitRatio: null,
    readsReports: false,
    dispatcher: (options) => newDispatcher('round-robin', options),
  },
  {
    name: 'least-connections-queue',
    weights: 'ideal',
    limitRatio: defaultLimitRatio,
    readsReports: false,
    dispatcher: (options) => newDispatcher('least-connections', options),
  },
]

export const policyNames: readonly string[] = [...plain, ...variants].map(({ name }) => name)

/**
 * The policy of a name, or null. `least-connections-queue:0.7` sets its limits to that part of what
 * each endpoint can sustain; any other policy may be limited so, too.
 */
export function policyOf(text: string): Policy | null {
  const [name, ratio] = text.split(':', 2)
  const policy = [...plain, ...variants].find((one) => one.name === name)
  if (policy === undefined) return null
  if (ratio === undefined) return policy
  const limitRatio = Number(ratio)
  return limitRatio > 0 ? { ...policy, name: text, limitRatio } : null
}
