import type { ModelConfig } from '#core/config/models.ts'
import type { ModelName } from '#core/ids.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'

/** Only what the file says: `constructor` is a name like any other. */
export function modelConfig(state: GatewayState, model: ModelName): ModelConfig | undefined {
  const { models } = state.config
  return Object.hasOwn(models, model) ? models[model] : undefined
}
