/** The strategies there are, by the names that configuration, simulation and records call them. */
import { strategyNames } from '#core/config/routing.ts'
import type { Dispatcher, DispatcherOptions } from '#routing/dispatcher.ts'
import { Fastest } from '#routing/fastest/fastest.ts'
import { leastConnections } from '#routing/pickers/least-connections.ts'
import { powerOfTwo } from '#routing/pickers/power-of-two.ts'
import { random } from '#routing/pickers/random.ts'
import { roundRobin } from '#routing/pickers/round-robin.ts'
import { kvCost } from '#routing/policies/kv-cost.ts'
import { leastBusy } from '#routing/policies/least-busy.ts'
import { loadScores } from '#routing/policies/load-scores.ts'
import { prefix } from '#routing/policies/prefix.ts'
import { prefixLoad } from '#routing/policies/prefix-load.ts'
import { scored } from '#routing/policies/scored.ts'
import { twoChoices } from '#routing/policies/two-choices.ts'
import { pickerPolicy } from '#routing/policy.ts'
import { QueuedDispatcher } from '#routing/queued-dispatcher.ts'

const pickers = {
  'least-connections': leastConnections,
  'round-robin': roundRobin,
  random,
  'power-of-two': powerOfTwo,
}

/** Those a user can choose, and two to compare with. */
export const dispatcherNames = [
  ...strategyNames,
  'fastest-immediate',
  'fastest-without-learning',
] as const

export type DispatcherName = (typeof dispatcherNames)[number]

export function newDispatcher(name: DispatcherName, options: DispatcherOptions): Dispatcher {
  switch (name) {
    case 'fastest':
      return new Fastest(options)
    case 'fastest-immediate':
      return new Fastest(options, { hold: false })
    case 'fastest-without-learning':
      return new Fastest(options, { learn: false })
    case 'least-connections':
    case 'round-robin':
    case 'random':
    case 'power-of-two':
      return new QueuedDispatcher(pickerPolicy(pickers[name]), options)
    case 'two-choices':
      return new QueuedDispatcher(twoChoices, options)
    case 'least-busy':
      return new QueuedDispatcher(leastBusy, options)
    case 'prefix':
      return new QueuedDispatcher(prefix(), options)
    case 'prefix-load':
      return new QueuedDispatcher(prefixLoad(), options)
    case 'load-scores':
      return new QueuedDispatcher(loadScores(), options)
    case 'kv-cost':
      return new QueuedDispatcher(kvCost(), options)
    case 'scored':
      return new QueuedDispatcher(scored, options)
  }
}
