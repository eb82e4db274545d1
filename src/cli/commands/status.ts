import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { fleetStatus } from '#cli/fleet-status.ts'
import { askGateway, type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { sharedMachines } from '#cli/shared-machines.ts'
import {
  deploymentLines,
  deploymentStatuses,
  recordingLines,
  recordingsAnswer,
} from '#cli/status-deployments.ts'
import { statusText, takesRequests } from '#cli/status-text.ts'
import { printJson } from '#cli/terminal.ts'
import { terminalWidth, widthOf } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

export function addStatusCommand(program: Command): void {
  withGatewayOptions(program.command('status'))
    .description(
      'Show the endpoints of a running gateway (state, load and speed of each), and its deployments.',
    )
    .option('--json', 'print what GET /admin/v1/endpoints answers, and the deployments')
    .addHelpText(
      'after',
      `
LOAD  requests there now / the most at a time, where there is a limit
WT    its weight; "0.6/3" is 0.6 now of 3, while it ramps up after a start or
      after a recovery
TTFT  mean time to the first token of streamed answers, from when they were
      sent there ("motley why" counts from their arrival here); "-" before any
REQS  requests sent there, retries included; ERRS  those that failed there

Ends with 1 when no endpoint is ready.`,
    )
    .action(async ({ json, ...gateway }: GatewayOptions & { json?: boolean }) => {
      const answer = await askGateway('/admin/v1/endpoints', gateway, 'an admin key')
      const status = fleetStatus.safeParse(answer)
      if (!status.success) {
        throw new CommandFailure(
          'unreachable',
          'what answers there is no Motley gateway of this version; check --url',
        )
      }
      // Behind a pipe as on a terminal: a line of all names is no table any more.
      const width = process.stdout.isTTY ? widthOf(process.stdout) : terminalWidth
      // Null where no controller is: its gateway knows endpoints alone.
      const placement = await askGateway('/admin/v1/placement', gateway, 'an admin key')
      const deployments = deploymentStatuses(placement ?? {}, status.data.endpoints)
      if (json) printJson({ ...status.data, ...(answer as object), deployments })
      else {
        const recordings = recordingsAnswer.parse(placement ?? {})
        const { nodes } = (placement ?? {}) as { readonly nodes?: unknown }
        const shared = sharedMachines(nodes).map((text) => `! ${text}`)
        const below = [
          ...deploymentLines(deployments),
          ...recordingLines(recordings),
          ...shared.flatMap((text) => ['', ...wrapped(text, terminalWidth, '  ')]),
        ]
        console.log([statusText(status.data, width), ...below].join('\n'))
      }
      if (!status.data.endpoints.some(({ state }) => takesRequests(state))) {
        process.exitCode = 1
      }
    })
}
