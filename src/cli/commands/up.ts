import { resolve } from 'node:path'
import type { Command } from 'commander'
import { addServeOptions, type ServeFlags, serveRequest } from '#cli/serve-options.ts'

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
      'Serve one API on this machine. Without endpoints in motley.yaml, the bundled model\n' +
        'motley-tiny answers.',
    )
    .option('--model <file.gguf>', 'serve this model file with the embedded engine')
    .option('--name <name>', 'what clients call that model (default: its file name)')
    .option('--demo', 'add a fleet of emulated engines, to break and to watch')
    .option('--no-embedded', 'never start the embedded engine')
    .action(up)
}

async function up(flags: UpFlags): Promise<void> {
  const [
    { readConfig },
    { bundledModel, startEmbedded },
    { startDemoFleet },
    { logLine, serve },
    { endpointsText, readyText },
    { CommandFailure },
  ] = await Promise.all([
    import('#cli/config-file.ts'),
    import('#cli/embedded-child.ts'),
    import('#cli/demo-fleet.ts'),
    import('#cli/serve.ts'),
    import('#cli/ready-text.ts'),
    import('#cli/command-failure.ts'),
  ])
  if (!flags.embedded && flags.model !== undefined) {
    throw new CommandFailure('wrong', '--model and --no-embedded contradict each other: drop one')
  }
  const request = serveRequest(flags, flags.model && resolve(flags.model), flags.name)
  const config = readConfig(request)
  const nothingElse = config.endpoints.length === 0 && flags.demo !== true
  const engine = config.embedded ?? (nothingElse ? bundledModel : null)

  const starting = [
    engine !== null && flags.embedded ? startEmbedded(engine, logLine) : null,
    flags.demo === true ? startDemoFleet(config, logLine) : null,
  ] as const
  const [embedded, demo] = await Promise.all(starting)
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
