import type { Command } from 'commander'
import { askController } from '#cli/admin-client.ts'
import { nodesAnswer, nodesText } from '#cli/fleet-text.ts'
import { type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { printJson } from '#cli/terminal.ts'

export function addNodesCommand(program: Command): void {
  const nodes = withGatewayOptions(program.command('nodes'))
    .description('Show the machines of the fleet and what is in them.')
    .option('--json', 'print all that is known of each, its inventory included')
    .action(async ({ json, ...gateway }: GatewayOptions & { json?: boolean }) => {
      const answer = await askController('/admin/v1/nodes', gateway)
      if (json) printJson(answer)
      else console.log(nodesText(nodesAnswer.parse(answer)))
    })
  withGatewayOptions(nodes.command('revoke'))
    .description('Take a machine out at once; it needs a new token to come back.')
    .argument('<node>')
    .action(async (node: string, gateway: GatewayOptions) => {
      await askController(`/admin/v1/nodes/${encodeURIComponent(node)}`, gateway, {
        method: 'DELETE',
      })
      console.log(`${node} is out; what ran there is no longer used`)
    })
}
