import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { askDemo, type DemoAction } from '#cli/demo-control.ts'
import { type GatewayOptions, gatewayUrl, withGatewayOptions } from '#cli/gateway-client.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

const actions: Readonly<Record<DemoAction, string>> = {
  kill: 'Kill the process of an engine, as kill -9 does. It comes back after 15 s.',
  break: 'Make an engine fail every request while it calls itself healthy.',
  start: 'Start a killed engine at once, or mend a broken one.',
}

export function addDemoCommand(program: Command): void {
  const demo = program
    .command('demo')
    .description('Break engines of the fleet that "motley up --demo" runs, and mend them.')
  for (const [action, description] of Object.entries(actions)) {
    withGatewayOptions(demo.command(action))
      .description(description)
      .argument('<endpoint>', 'its name, as "motley status" shows it')
      .action(async (endpoint: string, options: GatewayOptions) => {
        const port = new URL(await gatewayUrl(options)).port || '80'
        const reply = await askDemo(port, { action: action as DemoAction, endpoint })
        if (!reply.done) throw new CommandFailure('no', reply.text)
        console.log(wrapped(reply.text, terminalWidth, '  ').join('\n'))
      })
  }
}
