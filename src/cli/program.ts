/** The commands of motley and what holds for all of them. */
import { Command, type CommanderError, Option } from 'commander'
import { addAgentCommand } from '#cli/commands/agent.ts'
import { addAttachCommand } from '#cli/commands/attach.ts'
import { addConfigCommand } from '#cli/commands/config.ts'
import { addControllerCommand } from '#cli/commands/controller.ts'
import { addDemoCommand } from '#cli/commands/demo.ts'
import { addDetectCommand } from '#cli/commands/detect.ts'
import { addDoctorCommand } from '#cli/commands/doctor.ts'
import { addEmulateCommand } from '#cli/commands/emulate.ts'
import { addEngineCommand } from '#cli/commands/engine.ts'
import { addFitCommand } from '#cli/commands/fit.ts'
import { addGatewayCommand } from '#cli/commands/gateway.ts'
import { addKeyCommand } from '#cli/commands/key.ts'
import { addLoadCommand } from '#cli/commands/load.ts'
import { addModelCommand } from '#cli/commands/model.ts'
import { addModelsCommand } from '#cli/commands/models.ts'
import { addDrainCommand, addNodesCommand } from '#cli/commands/nodes.ts'
import { addApplyCommand, addPlanCommand, addWhyNotCommand } from '#cli/commands/plan.ts'
import { addRecordCommand } from '#cli/commands/record.ts'
import {
  addBenchmarkCommand,
  addReplicaCommand,
  addReplicasCommand,
} from '#cli/commands/replica.ts'
import { addRetryCommand } from '#cli/commands/retry.ts'
import { addSimulateCommand } from '#cli/commands/simulate.ts'
import { addStatusCommand } from '#cli/commands/status.ts'
import { addTokenCommand } from '#cli/commands/token.ts'
import { addUpCommand } from '#cli/commands/up.ts'
import { addWhyCommand } from '#cli/commands/why.ts'
import { logLine } from '#cli/terminal.ts'
import { motleyVersion } from '#embedded/motley-version.ts'

/** In the order of the help. */
const commands = [
  addUpCommand,
  addGatewayCommand,
  addControllerCommand,
  addAgentCommand,
  addTokenCommand,
  addStatusCommand,
  addNodesCommand,
  addReplicasCommand,
  addReplicaCommand,
  addAttachCommand,
  addDrainCommand,
  addBenchmarkCommand,
  addModelsCommand,
  addModelCommand,
  addFitCommand,
  addPlanCommand,
  addApplyCommand,
  addWhyCommand,
  addWhyNotCommand,
  addRetryCommand,
  addDetectCommand,
  addDoctorCommand,
  addRecordCommand,
  addConfigCommand,
  addKeyCommand,
  addEngineCommand,
  addSimulateCommand,
  addLoadCommand,
  addEmulateCommand,
  addDemoCommand,
]

/** The commands that help and reference show, below this one. */
export function shownCommands(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help')
}

export function createProgram(): Command {
  const program = new Command('motley')
    .description('One private, resilient, OpenAI-compatible API over a mixed fleet of machines.')
    .version(versionText, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .exitOverride()
    // As wide as the narrowest terminal, so that help looks the same for everybody.
    .configureOutput({ getOutHelpWidth: () => 80, getErrHelpWidth: () => 80 })
    .addHelpText(
      'after',
      `
Start with "motley up", or "motley up --demo" for a whole fleet to play with.
Commands that read take --json. Exit codes: 0 done, 1 the answer is no,
2 wrong usage or configuration, 3 something that is needed cannot be reached.`,
    )
  for (const add of commands) add(program)
  for (const command of program.commands) {
    if (command.commands.length > 0) command.helpCommand('help [command]', helpDescription)
  }
  addHelpCommand(program)
  addOtherSpellings(program)
  tellErrorsOf(program, 'motley')
  return program
}

const helpDescription = 'show help of a command'

const versionText = `motley ${motleyVersion}`

/** Commander's own shows the whole help for a command that does not exist, and does not say so. */
function addHelpCommand(program: Command): void {
  program
    .command('help')
    .description(helpDescription)
    .argument('[command...]')
    .action((names: readonly string[]) => {
      let found = program
      for (const name of names) {
        const child = found.commands.find((command) => command.name() === name)
        if (child === undefined) program.error(`unknown command '${names.join(' ')}'`)
        found = child
      }
      found.help()
    })
}

/** What people type for the version who have not looked it up. */
function addOtherSpellings(program: Command): void {
  program.addOption(new Option('-V').hideHelp()).on('option:V', printVersion)
  program.command('version', { hidden: true }).action(printVersion)
}

function printVersion(): never {
  console.log(versionText)
  process.exit(0)
}

/** Each command points to its own help: the options of `up` are not in that of motley. */
function tellErrorsOf(command: Command, path: string): void {
  command.configureOutput({
    ...command.configureOutput(),
    outputError: (text) => logLine(errorLine(text, path, command)),
  })
  for (const child of command.commands) tellErrorsOf(child, `${path} ${child.name()}`)
}

/** Help was shown where it was asked for; anything else commander ends with is wrong usage. */
export function usageExitCode(error: CommanderError): number {
  return error.exitCode === 0 ? 0 : 2
}

/** Commander's two lines as one: what is wrong, and what was probably meant or where to look. */
function errorLine(text: string, path: string, command: Command): string {
  const [first = '', ...rest] = text.trim().split('\n')
  const wrong = first.replace(/^error: /, '').replace(/\.$/, '')
  const meant = rest.map((line) => line.replace(/^\(Did you mean (.*)\?\)$/, '; did you mean $1?'))
  const help = meant.length === 0 ? `${otherOption(wrong, command)}; see ${path} --help` : ''
  return `motley: ${wrong}${meant.join('')}${help}`
}

/** Address and port are one option here, and two almost everywhere else. */
function otherOption(wrong: string, command: Command): string {
  const takesBoth = command.options.some(({ long }) => long === '--listen')
  const [, given] = /^unknown option '(--port|--host|-p)(?:=.*)?'$/.exec(wrong) ?? []
  return takesBoth && given !== undefined ? '; address and port are --listen <host:port>' : ''
}
