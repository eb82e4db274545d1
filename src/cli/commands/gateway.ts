import { hostname, networkInterfaces } from 'node:os'
import type { Command } from 'commander'
import { urlFlag } from '#cli/gateway-client.ts'
import { addServeOptions, type ServeFlags, serveRequest } from '#cli/serve-options.ts'
import { logLine } from '#cli/terminal.ts'

export function addGatewayCommand(program: Command): void {
  addServeOptions(program.command('gateway'))
    .description(
      'Serve one API over the endpoints of motley.yaml. Unlike "motley up" it starts no engine.',
    )
    .action(async (flags: ServeFlags) => {
      const { findConfigFile, readConfig } = await import('#cli/config-file.ts')
      const request = serveRequest(flags)
      const config = readConfig(request)
      const file = findConfigFile(request)
      const [{ serve }, { endpointsText, noEndpointsText, reachableUrl, readyText }] =
        await Promise.all([import('#cli/serve.ts'), import('#cli/ready-text.ts')])
      const { url, stopped } = await serve({ request, config, ownEndpoints: [] })
      const hasEndpoints = config.endpoints.length > 0
      const shownUrl = reachableUrl(url, networkInterfaces(), hostname())
      const flag = await urlFlag(url)
      const none = { ownModels: [], loading: null }
      console.log(readyText({ url: shownUrl, config, hasEndpoints, flag, ...none }))
      if (hasEndpoints) console.log(endpointsText(config, flag))
      else logLine(noEndpointsText(file, 'start "motley up", which brings an engine'))
      if (config.embedded !== undefined) {
        logLine(`this command starts no engine: "embedded" in ${file} is for "motley up"`)
      }
      await stopped
      process.exit(0)
    })
}
