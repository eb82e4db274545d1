import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { askGateway, type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { printJson } from '#cli/terminal.ts'
import { requestRecord, whyText } from '#cli/why-text.ts'

export function addWhyCommand(program: Command): void {
  withGatewayOptions(program.command('why'))
    .description('Say why a request went where it went: every candidate, with its numbers.')
    .argument('<request-id>', 'the x-request-id header of the answer')
    .option('--json', 'print the decision record')
    .action(async (id: string, { json, ...gateway }: GatewayOptions & { json?: boolean }) => {
      const answer = await askGateway(
        `/admin/v1/decisions/${encodeURIComponent(id)}`,
        gateway,
        'an admin key',
      )
      if (answer === null) {
        throw new CommandFailure(
          'no',
          `the gateway knows no decision for request "${id}": it keeps the latest ones only`,
        )
      }
      const record = requestRecord.safeParse(answer)
      if (!record.success) {
        throw new CommandFailure(
          'unreachable',
          'what answers there is no Motley gateway of this version; check --url',
        )
      }
      if (json) printJson(answer)
      else console.log(whyText(record.data))
    })
}
