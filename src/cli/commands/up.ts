import { hostname, networkInterfaces } from 'node:os'
import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { urlFlag } from '#cli/gateway-client.ts'
import { addServeOptions, type ServeFlags, serveRequest } from '#cli/serve-options.ts'
import { logLine } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import { modelText } from '#core/config/text.ts'
import { asClause } from '#std/as-clause.ts'

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
  const { findConfigFile, readConfig } = await import('#cli/config-file.ts')
  const given = flags.model === undefined ? flags.name && '--name' : '--model'
  if (!flags.embedded && given !== undefined) {
    throw new CommandFailure('wrong', `${given} and --no-embedded contradict each other: drop one`)
  }
  const request = serveRequest(flags, flags.model, flags.name)
  const config = readConfig(request)
  const [{ bundledModel, startEmbedded }, { startDemoFleet }, { checkListen }] = await Promise.all([
    import('#cli/embedded-child.ts'),
    import('#cli/demo-fleet.ts'),
    import('#cli/listen-failure.ts'),
  ])
  const nothingElse = config.endpoints.length === 0
  const engine =
    config.embedded ?? (nothingElse ? { ...bundledModel, ...givenName(flags.name) } : null)
  if (engine === null && flags.name !== undefined) {
    throw new CommandFailure('wrong', '--name names a model of the embedded engine: add --model')
  }
  await checkListen(config.gateway.listen)

  // Engines start while the gateway is still being loaded: both take a while on a small machine.
  const [embedded, demo, { serve }, texts] = await Promise.all([
    engine !== null && flags.embedded ? startEmbedded(engine, logLine) : null,
    flags.demo === true ? startDemoFleet(config, logLine) : null,
    import('#cli/serve.ts'),
    import('#cli/ready-text.ts'),
  ])
  const { endpointsText, noEndpointsText, reachableUrl, readyText } = texts
  const stopEngines = () => Promise.all([embedded?.child.stop(), demo?.stop()])
  try {
    const ownEndpoints = [...(embedded ? [embedded.endpoint] : []), ...(demo?.endpoints ?? [])]
    const onStopping = () => {
      embedded?.child.retire()
      demo?.retire()
    }
    const { startControllerPart } = await import('#cli/controller-part.ts')
    const controllerPart = await startControllerPart(config, logLine, false)
    const { url, stopped } = await serve({
      request,
      config,
      ownEndpoints,
      controllerPart,
      onStopping,
    })
    // The model of the demo first: a question to it can be watched while its engines are killed.
    const ownModels = [...(demo?.models ?? []), ...(embedded ? [embedded.model] : [])]
    const loading = embedded !== null && !embedded.isLoaded() ? embedded.model : null
    const hasEndpoints = !nothingElse || ownEndpoints.length > 0
    const shownUrl = reachableUrl(url, networkInterfaces(), hostname())
    const flag = await urlFlag(url)
    console.log(readyText({ url: shownUrl, config, ownModels, loading, hasEndpoints, flag }))
    if (!nothingElse) console.log(endpointsText(config, flag))
    if (!hasEndpoints) logLine(noEndpointsText(findConfigFile(request), 'leave out --no-embedded'))
    if (controllerPart !== null && config.controller.listen !== '127.0.0.1:7071') {
      const { listen } = config.controller
      const says = `Machines join at ${listen}: "motley token create${flag}" says how.`
      console.log(`${wrapped(says, terminalWidth, '  ').join('\n')}\n`)
    }
    if (demo !== null) {
      await demo.listen(new URL(url).port, flag)
      console.log(demo.text())
    }
    const others = !nothingElse || demo !== null
    const withoutEmbedded = embedded?.child.gaveUp.then((why) => goOnWithout(why, others, stopped))
    await Promise.race([stopped, withoutEmbedded ?? stopped])
  } finally {
    await stopEngines()
  }
  process.exit(0)
}

/** What clients call the bundled model, where the user has another name for it. */
function givenName(name: string | undefined): { readonly name?: string } {
  if (name === undefined) return {}
  if (modelText.safeParse(name).success) return { name }
  const { allowed } = modelText.meta() ?? {}
  throw new CommandFailure('wrong', `--name: found ${JSON.stringify(name)}, allowed: ${allowed}`)
}

/** The embedded engine will not come back; the gateway serves on where somebody else can answer. */
async function goOnWithout(why: string, others: boolean, stopped: Promise<void>): Promise<void> {
  if (!others) throw new CommandFailure('wrong', asClause(why))
  logLine(`the embedded engine stays down: ${why}`)
  await stopped
}
