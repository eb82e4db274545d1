/** The commands of motley and what holds for all of them. */
import { Command, type CommanderError } from 'commander'
import { addConfigCommand } from '#cli/commands/config.ts'
import { addDemoCommand } from '#cli/commands/demo.ts'
import { addEmulateCommand } from '#cli/commands/emulate.ts'
import { addEngineCommand } from '#cli/commands/engine.ts'
import { addGatewayCommand } from '#cli/commands/gateway.ts'
import { addKeyCommand } from '#cli/commands/key.ts'
import { addModelsCommand } from '#cli/commands/models.ts'
import { addStatusCommand } from '#cli/commands/status.ts'
import { addUpCommand } from '#cli/commands/up.ts'
import { addWhyCommand } from '#cli/commands/why.ts'
import { motleyVersion } from '#embedded/motley-version.ts'

/** In the order of the help. */
const commands = [
  addUpCommand,
  addGatewayCommand,
  addStatusCommand,
  addModelsCommand,
  addWhyCommand,
  addConfigCommand,
  addKeyCommand,
  addEngineCommand,
  addEmulateCommand,
  addDemoCommand,
]

export function createProgram(): Command {
  const program = new Command('motley')
    .description('One private, resilient, OpenAI-compatible API over a mixed fleet of machines.')
    .version(`motley ${motleyVersion}`, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help of a command')
    .exitOverride()
    .configureOutput({
      // As wide as the narrowest terminal, so that help looks the same for everybody.
      getOutHelpWidth: () => 80,
      getErrHelpWidth: () => 80,
      outputError: (text, write) => write(errorLine(text)),
    })
    .addHelpText(
      'after',
      `
Start with "motley up", or "motley up --demo" for a whole fleet to play with.
Commands that read take --json. Exit codes: 0 done, 1 the answer is no,
2 wrong usage or configuration, 3 something that is needed cannot be reached.`,
    )
  for (const add of commands) add(program)
  return program
}

/** Help was shown where it was asked for; anything else commander ends with is wrong usage. */
export function usageExitCode(error: CommanderError): number {
  return error.exitCode === 0 ? 0 : 2
}

/** Commander's two lines as one: what is wrong, and what was probably meant. */
function errorLine(text: string): string {
  const [first = '', ...rest] = text.trim().split('\n')
  const meant = rest.map((line) => line.replace(/^\(Did you mean (.*)\?\)$/, '; did you mean $1?'))
  const help = meant.length === 0 ? '; see motley --help' : ''
  return `motley: ${first.replace(/^error: /, '').replace(/\.$/, '')}${meant.join('')}${help}\n`
}
