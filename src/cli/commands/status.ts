import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { fleetStatus } from '#cli/fleet-status.ts'
import { askGateway, type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { statusText } from '#cli/status-text.ts'
import { printJson } from '#cli/terminal.ts'

export function addStatusCommand(program: Command): void {
  withGatewayOptions(program.command('status'))
    .description('Show the endpoints of a running gateway: state, load and speed of each.')
    .option('--json', 'print what GET /admin/v1/endpoints answers')
    .addHelpText('after', '\nEnds with 1 when no endpoint is ready.')
    .action(async ({ json, ...gateway }: GatewayOptions & { json?: boolean }) => {
      const answer = await askGateway('/admin/v1/endpoints', gateway)
      const status = fleetStatus.safeParse(answer)
      if (!status.success) {
        throw new CommandFailure(
          'unreachable',
          'what answers there is no Motley gateway of this version; check --url',
        )
      }
      if (json) printJson(answer)
      else console.log(statusText(status.data))
      if (!status.data.endpoints.some(({ state }) => state === 'ready' || state === 'busy')) {
        process.exitCode = 1
      }
    })
}
