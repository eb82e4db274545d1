/** Models that are not served now and can be, by whoever decides what runs. */
import type { SleepingModel } from '#protocol/model-demand.ts'

export interface Sleepers {
  /** Null for a model that no deployment serves. */
  find(model: string): SleepingModel | null
  /** Somebody asks for it now. Null when it will be woken; else why it cannot be. */
  wake(model: string): string | null
  /** All models of deployments, those that are awake too. */
  models(): readonly string[]
}

export const noSleepers: Sleepers = { find: () => null, wake: () => null, models: () => [] }
