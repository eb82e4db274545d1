import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { addServeOptions, type ServeFlags, serveRequest } from '#cli/serve-options.ts'
import { logLine } from '#cli/terminal.ts'

interface UpFlags extends ServeFlags {
  readonly model?: string
  readonly name?: string
  readonly demo?: boolean
  /** false where --no-embedded is given. */
  readonly embedded: boolean
}

export function addUpCommand(program: Command): void {
  addServeOptions(program.command('up'))
    .description(
      'Serve one API on this machine. Where nothing is configured, a small bundled model answers.',
    )
    .option('--model <file.gguf>', 'serve this model file with the embedded engine')
    .option('--name <name>', 'what clients call that model (default: its file name)')
    .option('--demo', 'add a fleet of emulated engines, to break and to watch')
    .option('--no-embedded', 'never start the embedded engine')
    .action(up)
}

async function up(flags: UpFlags): Promise<void> {
  const { readConfig } = await import('#cli/config-file.ts')
  if (!flags.embedded && flags.model !== undefined) {
    throw new CommandFailure('wrong', '--model and --no-embedded contradict each other: drop one')
  }
  const request = serveRequest(flags, flags.model, flags.name)
  const config = readConfig(request)
  const [{ bundledModel, startEmbedded }, { startDemoFleet }] = await Promise.all([
    import('#cli/embedded-child.ts'),
    import('#cli/demo-fleet.ts'),
  ])
  const nothingElse = config.endpoints.length === 0
  const engine = config.embedded ?? (nothingElse ? bundledModel : null)

  // Engines start while the gateway is still being loaded: both take a while on a small machine.
  const [embedded, demo, { serve }, { endpointsText, readyText }] = await Promise.all([
    engine !== null && flags.embedded ? startEmbedded(engine, logLine) : null,
    flags.demo === true ? startDemoFleet(config, logLine) : null,
    import('#cli/serve.ts'),
    import('#cli/ready-text.ts'),
  ])
  const stopEngines = () => Promise.all([embedded?.child.stop(), demo?.stop()])
  try {
    const ownEndpoints = [...(embedded ? [embedded.endpoint] : []), ...(demo?.endpoints ?? [])]
    const { url, stopped } = await serve({ request, config, ownEndpoints })
    const ownModels = [...(embedded ? [embedded.model] : []), ...(demo?.models ?? [])]
    console.log(readyText({ url, config, ownModels }))
    if (config.endpoints.length > 0) console.log(endpointsText(config))
    if (demo !== null) {
      await demo.listen(new URL(url).port)
      console.log(demo.text(url))
    }
    await stopped
  } finally {
    await stopEngines()
  }
  process.exit(0)
}
