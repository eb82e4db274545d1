/** The strategies a user can name in `routing.strategy`. */
import type { StrategyName } from '#core/config/routing.ts'
import type { Picker } from '#routing/picker.ts'
import { leastConnections } from '#routing/pickers/least-connections.ts'
import { powerOfTwo } from '#routing/pickers/power-of-two.ts'
import { random } from '#routing/pickers/random.ts'
import { roundRobin } from '#routing/pickers/round-robin.ts'

export const pickers: Readonly<Record<StrategyName, Picker>> = {
  'least-connections': leastConnections,
  'round-robin': roundRobin,
  random,
  'power-of-two': powerOfTwo,
}
