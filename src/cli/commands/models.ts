import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { askGateway, type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { printJson } from '#cli/terminal.ts'

interface ModelList {
  readonly data: readonly { readonly id: string }[]
}

export function addModelsCommand(program: Command): void {
  withGatewayOptions(program.command('models'))
    .description('List the models that a client may ask for.')
    .option('--json', 'print what GET /v1/models answers')
    .addHelpText(
      'after',
      '\nA gateway serves these. "motley model ls" lists the files of this machine.',
    )
    .action(async ({ json, ...gateway }: GatewayOptions & { json?: boolean }) => {
      const list = (await askGateway('/v1/models', gateway, 'any key')) as ModelList | null
      if (!Array.isArray(list?.data)) {
        throw new CommandFailure('unreachable', 'what answers there lists no models; check --url')
      }
      if (json) printJson(list)
      else for (const { id } of list.data) console.log(id)
      if (list.data.length === 0) {
        throw new CommandFailure('no', 'no model is served: "motley status" says why')
      }
    })
}
