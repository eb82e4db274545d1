import { hostname, networkInterfaces } from 'node:os'
import type { Command } from 'commander'
import { z } from 'zod'
import { askController } from '#cli/admin-client.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { printJson } from '#cli/terminal.ts'

const made = z.object({
  token: z.string(),
  expiresAtMs: z.number(),
  controller: z.object({ host: z.string(), port: z.number() }),
})

export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('Let machines join the fleet.')
  withGatewayOptions(token.command('create'))
    .description('Make a token that lets one machine in, once.')
    .option('--valid <minutes>', 'how long it can be used', '60')
    .option('--json', 'print the token and the address as JSON')
    .action(
      async ({ json, valid, ...gateway }: GatewayOptions & { json?: boolean; valid: string }) => {
        const validMinutes = Number(valid)
        if (!(validMinutes > 0 && validMinutes <= 43_200)) {
          throw new CommandFailure(
            'wrong',
            `--valid takes minutes, up to 43200, and not "${valid}"`,
          )
        }
        const answer = await askController('/admin/v1/tokens', gateway, {
          method: 'POST',
          body: { validMinutes },
        })
        const { token, expiresAtMs, controller: listens } = made.parse(answer)
        const controller = { ...listens, host: dialledHost(listens.host) }
        if (json) printJson({ token, expiresAtMs, controller })
        else console.log(joinText(token, validMinutes, controller))
      },
    )
}

function joinText(
  token: string,
  validMinutes: number,
  { host, port }: { readonly host: string; readonly port: number },
): string {
  const loopback = /^(127\.|::1$|localhost$)/.test(host)
  const note = loopback
    ? `
The controller listens on ${host}, where only this machine reaches it. For
others, write into motley.yaml and start again:

  controller: { listen: "0.0.0.0:${port}" }
`
    : ''
  return `On the machine that is to join, within ${validMinutes} minutes:

  MOTLEY_TOKEN=${token} \\
    motley agent --join ${host.includes(':') ? `[${host}]` : host}:${port}
${note}`
}

/** What another machine dials to reach what listens there. */
function dialledHost(host: string): string {
  const everywhere = host === '0.0.0.0' || host === '::'
  return everywhere ? (ownAddress() ?? hostname()) : host
}

/** Where other machines most likely reach this one. */
function ownAddress(): string | null {
  const addresses = Object.values(networkInterfaces()).flatMap((one) => one ?? [])
  return addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? null
}
