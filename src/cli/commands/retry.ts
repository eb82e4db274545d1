import type { Command } from 'commander'
import { z } from 'zod'
import { askController } from '#cli/admin-client.ts'
import { type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { printJson } from '#cli/terminal.ts'

const retried = z.object({ deployment: z.string(), nodes: z.array(z.string()) })

export function addRetryCommand(program: Command): void {
  withGatewayOptions(program.command('retry'))
    .description('Try what failed to start again now, and not only after a while.')
    .argument('<deployment>')
    .option('--json', 'print where it had failed')
    .action(async (name: string, { json, ...gateway }: GatewayOptions & { json?: boolean }) => {
      const path = `/admin/v1/deployments/${encodeURIComponent(name)}/retry`
      const answer = retried.parse(await askController(path, gateway, { method: 'POST' }))
      if (json) printJson(answer)
      else if (answer.nodes.length === 0) {
        console.log(`No start of ${name} has failed: "motley why ${name}" says what it waits for.`)
      } else console.log(`${name} is planned again, ${answer.nodes.join(', ')} included.`)
    })
}
