/** Asks the controller, for the commands about nodes and replicas. */
import { CommandFailure } from '#cli/command-failure.ts'
import { askGateway, type GatewayOptions, gatewayUrl } from '#cli/gateway-client.ts'

export interface AdminAsk {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly body?: unknown
  readonly withinMs?: number
}

/** Throws {@link CommandFailure}; null is a CommandFailure too: there is no controller there. */
export async function askController(
  path: string,
  options: GatewayOptions,
  ask: AdminAsk = {},
): Promise<unknown> {
  const answer = await askGateway(path, options, 'an admin key', ask)
  if (answer !== null) return answer
  throw new CommandFailure(
    'no',
    `the gateway at ${await gatewayUrl(options)} has no controller, which is who knows machines: it was started by "motley gateway", or could start none and said why`,
  )
}
