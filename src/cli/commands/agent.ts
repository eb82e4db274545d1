import type { Command } from 'commander'
import type { Agent } from '#agent/agent.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { type MachineOptions, machineOf } from '#cli/recorded-machine.ts'
import { asClause, logLine } from '#cli/terminal.ts'

interface AgentFlags extends MachineOptions {
  readonly join?: string
  readonly token?: string
  readonly name?: string
  readonly listen: string
  readonly advertise?: string
}

export function addAgentCommand(program: Command): void {
  program
    .command('agent')
    .description('Make this machine a node of a fleet: it runs what the controller wants of it.')
    .option('--join <host:port>', 'the controller, for the first time')
    .option('--token <token>', 'from "motley token create" (MOTLEY_TOKEN)')
    .option('--name <name>', 'what the node is called (default: the host name)')
    .option('--listen <host:port>', 'where gateways reach its engines', '0.0.0.0:7073')
    .option('--advertise <host>', 'what gateways dial (default: where this connection comes from)')
    .option('--recording <dir>', 'show a recorded machine in place of this one; it runs nothing')
    .addHelpText(
      'after',
      `
The agent dials the controller, and comes back to it by itself: --join and
--token are for the first time only. Engines listen on 127.0.0.1; the agent's
port lets in its controller's gateways alone. MOTLEY_DATA_DIR is where it keeps
its identity and the logs of what runs.`,
    )
    .action(runAgent)
}

async function runAgent(flags: AgentFlags): Promise<void> {
  const [
    { NotJoinedError, startAgent },
    { agentDirectory },
    { parseToken },
    { agentOptions },
    dirs,
    own,
    { IdentityError },
    { SupervisionError },
    { listenFailure },
    { nameText },
    { hostText },
  ] = await Promise.all([
    import('#agent/agent.ts'),
    import('#agent/agent-directory.ts'),
    import('#agent/controller-link.ts'),
    import('#cli/agent-options.ts'),
    import('#cli/data-directory.ts'),
    import('#cli/controller-part.ts'),
    import('#agent/identity.ts'),
    import('#agent/replicas/replica-spec.ts'),
    import('#cli/listen-failure.ts'),
    import('#core/config/text.ts'),
    import('#protocol/agent-messages.ts'),
  ])
  const tokenText = flags.token ?? process.env['MOTLEY_TOKEN']
  if ((flags.join === undefined) !== (tokenText === undefined)) {
    throw new CommandFailure(
      'wrong',
      flags.join === undefined
        ? '--token needs --join, with the address that "motley token create" printed'
        : '--join needs --token: make one with "motley token create" where the controller runs',
    )
  }
  const token = tokenText === undefined ? null : parseToken(tokenText)
  if (tokenText !== undefined && token === null) {
    throw new CommandFailure(
      'wrong',
      '--token is not whole: it is "mt-", a secret, ".", and 64 letters and digits; copy it again',
    )
  }
  const name = flags.name ?? own.ownNodeName()
  if (!nameText.safeParse(name).success) {
    throw new CommandFailure(
      'wrong',
      `--name: found ${JSON.stringify(name)}, allowed: ${nameText.meta()?.['allowed']}`,
    )
  }
  if (flags.advertise !== undefined && !hostText.safeParse(flags.advertise).success) {
    throw new CommandFailure(
      'wrong',
      `--advertise: found "${flags.advertise}", allowed: a host name or an address, without a port`,
    )
  }
  const runsEngines = flags.recording === undefined
  const refused = Promise.withResolvers<never>()
  let welcomed = false
  let agent: Agent | null = null
  try {
    agent = await startAgent({
      ...agentOptions(machineOf(flags), logLine, runsEngines),
      directory: agentDirectory(dirs.dataDirectory()),
      join:
        token === null || flags.join === undefined
          ? null
          : {
              address: { ...hostAndPort(flags.join, '--join'), fingerprint: token.fingerprint },
              secret: token.secret,
            },
      name,
      ingress: hostAndPort(flags.listen, '--listen'),
      advertisedHost: flags.advertise ?? null,
      onWelcome() {
        logLine(welcomed ? 'the controller is back' : `${name} is part of the fleet`)
        welcomed = true
      },
      onRefused: (_code, message) =>
        refused.reject(new CommandFailure('wrong', `the controller refuses: ${asClause(message)}`)),
    })
    const { devices } = agent.inventory
    logLine(`this machine has ${devices.map((device) => device.name).join(', ') || 'no device'}`)
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
    })
    await Promise.race([stopped, refused.promise])
    const running = runsEngines ? '; its engines run on' : ''
    logLine(`the agent ends${running}`)
    await agent.close()
    process.exit(0)
  } catch (error) {
    await agent?.close()
    if (error instanceof NotJoinedError) {
      throw new CommandFailure(
        'wrong',
        'this machine has not joined a fleet: run "motley token create" where the controller runs, and start the agent with the --join and --token that it prints',
      )
    }
    if (error instanceof SupervisionError || error instanceof IdentityError) {
      throw new CommandFailure('unreachable', asClause(error.message), { cause: error })
    }
    const unusable = dirs.dataDirectoryFailure(error)
    if (unusable !== null) throw unusable
    const words = { option: (host: string, port: number) => `--listen ${host}:${port}` }
    throw listenFailure(error, flags.listen, words)
  }
}

function hostAndPort(text: string, option: string): { host: string; port: number } {
  const address = text.replace(/^https?:\/\//, '').replace(/\/$/, '')
  const [, host, port] = /^(\[[^\]]+\]|[^:\s]+):(\d{1,5})$/.exec(address) ?? []
  if (host === undefined || Number(port) > 65_535) {
    throw new CommandFailure(
      'wrong',
      `${option}: found "${text}", allowed: host:port, as node0:7071`,
    )
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}
