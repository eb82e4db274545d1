import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { ConfigError } from '#cli/config-error.ts'
import { type ConfigRequest, findConfigFile, problemAt, readConfig } from '#cli/config-file.ts'
import { configRemarks } from '#cli/config-remarks.ts'
import { problemLines } from '#cli/plan-text.ts'
import { printJson } from '#cli/terminal.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { publicSchema } from '#core/config/json-schema.ts'

export function addConfigCommand(program: Command): void {
  const config = program.command('config').description('Check motley.yaml, or print its schema.')
  config
    .command('check')
    .description('Say whether a configuration is right, or every problem it has.')
    .argument('[file]', 'the file (MOTLEY_CONFIG; default motley.yaml)')
    .option('--json', 'print JSON')
    .action(async (path: string | undefined, { json }: { json?: boolean }) => {
      const request = { path, env: process.env, cwd: process.cwd() }
      const file = findConfigFile(request)
      if (file === null) {
        throw new CommandFailure(
          'wrong',
          'there is no motley.yaml here: name a file, as "motley config check fleet.yaml"',
        )
      }
      try {
        const read = readConfig(request)
        await checkModelFile(read, request)
        await checkRoutingScript(read, request)
        const remarks = configRemarks(read)
        if (json) printJson({ file, valid: true, problems: [], remarks })
        else {
          const lines = [`${file} is valid: ${summaryOf(read)}`, ...problemLines(remarks)]
          console.log(lines.join('\n'))
        }
      } catch (error) {
        if (!json || !(error instanceof ConfigError)) throw error
        printJson({ file, valid: false, problems: error.problems })
        process.exitCode = 2
      }
    })
  config
    .command('schema')
    .description('Print the JSON Schema of motley.yaml, for editors.')
    .action(() => printJson(publicSchema()))
}

/** @throws {ConfigError} */
async function checkModelFile(config: MotleyConfig, request: ConfigRequest): Promise<void> {
  if (config.embedded === undefined) return
  const { modelFileProblem } = await import('#cli/model-file.ts')
  const problem = await modelFileProblem(config.embedded.model)
  if (problem !== null) {
    throw new ConfigError([problemAt(request, ['embedded', 'model'], problem)])
  }
}

/** @throws {ConfigError} */
async function checkRoutingScript(config: MotleyConfig, request: ConfigRequest): Promise<void> {
  if (config.routing.script === undefined) return
  const { openRoutingScript } = await import('#cli/routing-script.ts')
  await (await openRoutingScript(config, request))?.close()
}

function summaryOf({ endpoints, gateway, models, deployments, embedded }: MotleyConfig): string {
  const parts = [counted(endpoints.length, 'endpoint'), counted(gateway.keys.length, 'key')]
  const modelCount = Object.keys(models).length
  if (modelCount > 0) parts.push(counted(modelCount, 'model'))
  const deploymentCount = Object.keys(deployments).length
  if (deploymentCount > 0) parts.push(counted(deploymentCount, 'deployment'))
  if (embedded !== undefined) parts.push('the embedded engine')
  return parts.join(', ')
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
