import type { Command } from 'commander'
import { askController } from '#cli/admin-client.ts'
import { nodesAnswer, nodesText } from '#cli/fleet-text.ts'
import { type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { printJson } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

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

export function addDrainCommand(program: Command): void {
  withGatewayOptions(program.command('drain'))
    .description('Send a machine nothing new; what runs there moves, or ends.')
    .argument('<node>')
    .option('--undo', 'use it again')
    .action(async (node: string, { undo, ...gateway }: GatewayOptions & { undo?: boolean }) => {
      await askController(`/admin/v1/nodes/${encodeURIComponent(node)}/drain`, gateway, {
        method: 'POST',
        body: { draining: undo !== true },
      })
      const drains = `${node} drains: what was planned moves first, the rest finishes what it does and ends`
      const said = undo ? `${node} is used again` : drains
      console.log(wrapped(said, terminalWidth, '  ').join('\n'))
    })
}
