/** The truth about the fleet, in the shape that LiteLLM's users read. */
import type { Endpoint } from '#gateway/endpoint.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'

interface HealthEntry {
  readonly model: string
  readonly api_base: string
  readonly endpoint: string
  readonly state: string
  readonly error?: string
}

interface HealthPage {
  readonly healthy_endpoints: readonly HealthEntry[]
  readonly unhealthy_endpoints: readonly HealthEntry[]
  readonly healthy_count: number
  readonly unhealthy_count: number
}

/** One entry for each model of each endpoint, and one for an endpoint whose models are unknown. */
export function healthPage(state: GatewayState): HealthPage {
  state.tick()
  const healthy: HealthEntry[] = []
  const unhealthy: HealthEntry[] = []
  for (const endpoint of state.fleet.endpoints) {
    const list = isHealthy(endpoint) ? healthy : unhealthy
    const { reason } = endpoint
    for (const model of endpoint.models?.keys() ?? ['unknown']) {
      list.push({
        model,
        api_base: withoutCredentials(endpoint.config.url),
        endpoint: endpoint.id,
        state: endpoint.state,
        ...(reason === null ? {} : { error: reason }),
      })
    }
  }
  return {
    healthy_endpoints: healthy,
    unhealthy_endpoints: unhealthy,
    healthy_count: healthy.length,
    unhealthy_count: unhealthy.length,
  }
}

/**
 * Whether this gateway should be sent requests: it goes on to take them, and somebody can answer, were
 * it a model that only a request wakes.
 */
export function isReady(state: GatewayState): boolean {
  state.tick()
  return !state.stopping && (state.fleet.endpoints.some(isHealthy) || hasSleeper(state))
}

function hasSleeper({ sleepers }: GatewayState): boolean {
  return sleepers.models().some((model) => {
    const sleeping = sleepers.find(model)
    return sleeping !== null && sleeping.state !== 'no-place'
  })
}

function isHealthy(endpoint: Endpoint): boolean {
  return endpoint.models !== null && (endpoint.state === 'ready' || endpoint.state === 'busy')
}

export function withoutCredentials(url: string): string {
  const parsed = new URL(url)
  parsed.username = ''
  parsed.password = ''
  return parsed.href.replace(/\/$/, '')
}
