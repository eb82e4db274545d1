import { hostname, networkInterfaces } from 'node:os'
import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { urlFlag } from '#cli/gateway-client.ts'
import { addServeOptions, type ServeFlags, serveRequest } from '#cli/serve-options.ts'
import { logLine } from '#cli/terminal.ts'

export function addControllerCommand(program: Command): void {
  addServeOptions(program.command('controller'))
    .description(
      'Let machines join, and serve one API over what runs on them. "motley up" does so too, and ' +
        'brings an engine of its own.',
    )
    .action(async (flags: ServeFlags) => {
      const { readConfig } = await import('#cli/config-file.ts')
      const request = serveRequest(flags)
      const config = readConfig(request)
      if (!config.controller.enabled) {
        throw new CommandFailure('wrong', 'controller.enabled is false in the configuration')
      }
      const [{ startControllerPart }, { serve }, { reachableUrl }] = await Promise.all([
        import('#cli/controller-part.ts'),
        import('#cli/serve.ts'),
        import('#cli/ready-text.ts'),
      ])
      const controllerPart = await startControllerPart(config, logLine, true)
      const { url, stopped } = await serve({ request, config, ownEndpoints: [], controllerPart })
      const { host, port } = controllerPart?.controller ?? { host: '', port: 0 }
      console.log(`Motley's controller listens.

  API      ${reachableUrl(url, networkInterfaces(), hostname())}/v1
  Agents   ${host}:${port}: "motley token create${await urlFlag(url)}" says how a machine joins
  Stop     Ctrl-C; what runs on other machines goes on
`)
      await stopped
      process.exit(0)
    })
}
