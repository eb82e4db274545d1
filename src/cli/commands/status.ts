import type { Command } from 'commander'
import { z } from 'zod'
import { CommandFailure } from '#cli/command-failure.ts'
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

/** What is used of the answer; a newer gateway may say more. */
export const fleetStatus = z.object({
  gateway: z.object({
    version: z.string(),
    uptimeSeconds: z.number(),
    strategy: z.string(),
    inFlight: z.number(),
    queued: z.number(),
  }),
  endpoints: z.array(
    z.object({
      name: z.string(),
      url: z.string(),
      engine: z.string().nullable(),
      state: z.string(),
      reason: z.string().nullable(),
      models: z.array(z.string()),
      weight: z.number(),
      effectiveWeight: z.number(),
      inFlight: z.number(),
      maxInFlight: z.number().nullable(),
      ttftMs: z.number().nullable(),
      requestsTotal: z.number(),
      errorsTotal: z.number(),
      sinceMs: z.number().nullable(),
    }),
  ),
})

export type FleetStatus = z.output<typeof fleetStatus>
