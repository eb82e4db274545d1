/** The options that `motley up` and `motley gateway` share. */
import type { Command } from 'commander'
import type { ConfigRequest } from '#cli/config-file.ts'
import { strategyNames } from '#core/config/routing.ts'

export interface ServeFlags {
  readonly config?: string
  readonly listen?: string
  readonly strategy?: string
}

export function addServeOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration (MOTLEY_CONFIG; default ./motley.yaml)')
    .option('--listen <host:port>', 'where clients reach it (default 127.0.0.1:7070)')
    .option('--strategy <name>', `how endpoints are chosen: ${strategyNames.join(', ')}`)
}

export function serveRequest(flags: ServeFlags, model?: string, name?: string): ConfigRequest {
  return {
    path: flags.config,
    env: process.env,
    cwd: process.cwd(),
    flags: { listen: flags.listen, strategy: flags.strategy, model, name },
  }
}
