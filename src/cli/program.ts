/** The commands of motley and what holds for all of them. */
import { Command, type CommanderError, Option } from 'commander'
import { logLine } from '#cli/terminal.ts'
import { motleyVersion } from '#embedded/motley-version.ts'

/**
 * In the order of the help. Each brings the parts of Motley that it needs: a command loads its own,
 * which takes a tenth of a second where all of them take one.
 */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  up: async () => (await import('#cli/commands/up.ts')).addUpCommand,
  gateway: async () => (await import('#cli/commands/gateway.ts')).addGatewayCommand,
  controller: async () => (await import('#cli/commands/controller.ts')).addControllerCommand,
  agent: async () => (await import('#cli/commands/agent.ts')).addAgentCommand,
  token: async () => (await import('#cli/commands/token.ts')).addTokenCommand,
  status: async () => (await import('#cli/commands/status.ts')).addStatusCommand,
  nodes: async () => (await import('#cli/commands/nodes.ts')).addNodesCommand,
  replicas: async () => (await import('#cli/commands/replica.ts')).addReplicasCommand,
  replica: async () => (await import('#cli/commands/replica.ts')).addReplicaCommand,
  attach: async () => (await import('#cli/commands/attach.ts')).addAttachCommand,
  drain: async () => (await import('#cli/commands/drain.ts')).addDrainCommand,
  benchmark: async () => (await import('#cli/commands/replica.ts')).addBenchmarkCommand,
  models: async () => (await import('#cli/commands/models.ts')).addModelsCommand,
  model: async () => (await import('#cli/commands/model.ts')).addModelCommand,
  fit: async () => (await import('#cli/commands/fit.ts')).addFitCommand,
  plan: async () => (await import('#cli/commands/plan.ts')).addPlanCommand,
  apply: async () => (await import('#cli/commands/plan.ts')).addApplyCommand,
  why: async () => (await import('#cli/commands/why.ts')).addWhyCommand,
  'why-not': async () => (await import('#cli/commands/plan.ts')).addWhyNotCommand,
  retry: async () => (await import('#cli/commands/retry.ts')).addRetryCommand,
  detect: async () => (await import('#cli/commands/detect.ts')).addDetectCommand,
  doctor: async () => (await import('#cli/commands/doctor.ts')).addDoctorCommand,
  record: async () => (await import('#cli/commands/record.ts')).addRecordCommand,
  config: async () => (await import('#cli/commands/config.ts')).addConfigCommand,
  key: async () => (await import('#cli/commands/key.ts')).addKeyCommand,
  engine: async () => (await import('#cli/commands/engine.ts')).addEngineCommand,
  simulate: async () => (await import('#cli/commands/simulate.ts')).addSimulateCommand,
  load: async () => (await import('#cli/commands/load.ts')).addLoadCommand,
  emulate: async () => (await import('#cli/commands/emulate.ts')).addEmulateCommand,
  demo: async () => (await import('#cli/commands/demo.ts')).addDemoCommand,
}

/** The commands that help and reference show, below this one. */
export function shownCommands(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help')
}

/** With what these arguments ask for; the help, and a word that is no command, need all. */
export function programFor(args: readonly string[]): Promise<Command> {
  const [first = ''] = args
  if (Object.hasOwn(commands, first)) return createProgram([first])
  return createProgram(versionWords.includes(first) ? [] : undefined)
}

export async function createProgram(names = Object.keys(commands)): Promise<Command> {
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
  for (const name of names) {
    const add = await commands[name]?.()
    add?.(program)
  }
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

const versionWords = ['-v', '--version', '-V', 'version']

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
