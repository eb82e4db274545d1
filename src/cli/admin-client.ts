/** Asks the controller, for the commands about nodes and replicas. */
import { CommandFailure } from '#cli/command-failure.ts'
import { askGateway, type GatewayOptions } from '#cli/gateway-client.ts'

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
    'there is no such thing, or what answers there has no controller: "motley up" and "motley controller" have one',
  )
}
