import type { Command } from 'commander'
import { addServeOptions, type ServeFlags, serveRequest } from '#cli/serve-options.ts'
import { logLine } from '#cli/terminal.ts'

export function addGatewayCommand(program: Command): void {
  addServeOptions(program.command('gateway'))
    .description(
      'Serve one API over the endpoints of motley.yaml. Unlike "motley up" it starts no engine.',
    )
    .action(async (flags: ServeFlags) => {
      const { readConfig } = await import('#cli/config-file.ts')
      const request = serveRequest(flags)
      const config = readConfig(request)
      const [{ serve }, { endpointsText, readyText }] = await Promise.all([
        import('#cli/serve.ts'),
        import('#cli/ready-text.ts'),
      ])
      const { url, stopped } = await serve({ request, config, ownEndpoints: [] })
      console.log(readyText({ url, config, ownModels: [] }))
      console.log(endpointsText(config))
      if (config.endpoints.length === 0) {
        logLine('no endpoints are configured, so every request is refused: see "motley up"')
      }
      await stopped
      process.exit(0)
    })
}
