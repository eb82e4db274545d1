import type { Command } from 'commander'
import type { Agent } from '#agent/agent.ts'
import type { Refusal } from '#agent/controller-link.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { endProbesOnSignals } from '#cli/end-probes.ts'
import type { TokenFlags } from '#cli/given-token.ts'
import { type MachineOptions, machineOf } from '#cli/recorded-machine.ts'
import { onStopSignals } from '#cli/stop-signals.ts'
import { logLine } from '#cli/terminal.ts'
import { asClause } from '#std/as-clause.ts'

interface AgentFlags extends MachineOptions, TokenFlags {
  readonly join?: string
  readonly joinTimeout: string
  readonly name?: string
  readonly listen: string
  readonly advertise?: string
}

export function addAgentCommand(program: Command): void {
  program
    .command('agent')
    .description('Make this machine a node of a fleet: it runs what the controller wants of it.')
    .option('--join <host:port>', 'the controller, for the first time or when it has moved')
    .option('--token <token>', 'from "motley token create" (MOTLEY_TOKEN)')
    .option('--token-file <file>', 'a file that holds the token; "-" reads it from stdin')
    .option('--join-timeout <seconds>', 'how long to look for the controller', '30')
    .option('--name <name>', 'what the node is called, for the first time (default: the host name)')
    .option('--listen <host:port>', 'where gateways reach its engines', '0.0.0.0:7073')
    .option('--advertise <host>', 'what gateways dial (default: where this connection comes from)')
    .option('--recording <dir>', 'show a recorded machine in place of this one; it runs nothing')
    .addHelpText(
      'after',
      `
The agent dials the controller, and comes back to it by itself: --join, a token
and --name are for the first time only. A controller that has moved is found by
--join alone: it is known by its certificate, and its new address is kept. Every
user of this machine sees what stands behind --token; MOTLEY_TOKEN and
--token-file show it to nobody.

Engines listen on 127.0.0.1; the agent's port lets in its controller's gateways
alone. MOTLEY_DATA_DIR is where it keeps its identity and the logs of what runs.
Programs of engines are looked for on the PATH; MOTLEY_ENGINE_PATH names folders
that come first, such as the bin of a virtual environment of Python.`,
    )
    .action(runAgent)
}

async function runAgent(flags: AgentFlags): Promise<void> {
  const [
    { NotJoinedError, startAgent },
    { agentDirectory },
    { givenToken },
    { agentOptions },
    dirs,
    own,
    { IdentityError },
    { SupervisionError },
    { listenFailure },
    { nameText },
    { hostText },
    { deviceText },
  ] = await Promise.all([
    import('#agent/agent.ts'),
    import('#agent/agent-directory.ts'),
    import('#cli/given-token.ts'),
    import('#cli/agent-options.ts'),
    import('#cli/data-directory.ts'),
    import('#cli/controller-part.ts'),
    import('#agent/identity.ts'),
    import('#agent/replicas/replica-spec.ts'),
    import('#cli/listen-failure.ts'),
    import('#core/config/text.ts'),
    import('#protocol/agent-messages.ts'),
    import('#cli/fleet-text.ts'),
  ])
  const token = await givenToken(flags, process.env, process.stdin)
  if (flags.join === undefined && token !== null) {
    throw new CommandFailure(
      'wrong',
      'a token needs --join, with the address that "motley token create" printed',
    )
  }
  const joinTimeoutSeconds = Number(flags.joinTimeout)
  if (!(joinTimeoutSeconds > 0 && joinTimeoutSeconds <= 86_400)) {
    throw new CommandFailure(
      'wrong',
      `--join-timeout takes seconds, up to 86400, and not "${flags.joinTimeout}"`,
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
  const signalsFree = endProbesOnSignals()
  let welcomed = false
  let agent: Agent | null = null
  try {
    agent = await startAgent({
      ...agentOptions(machineOf(flags), logLine, runsEngines),
      directory: agentDirectory(dirs.dataDirectory()),
      join:
        flags.join === undefined
          ? null
          : {
              address: {
                ...hostAndPort(flags.join, '--join'),
                fingerprint: token?.fingerprint ?? null,
              },
              secret: token?.secret ?? null,
            },
      joinWithinMs: joinTimeoutSeconds * 1_000,
      name,
      ingress: hostAndPort(flags.listen, '--listen'),
      advertisedHost: flags.advertise ?? null,
      onWelcome(known) {
        const other = flags.name === undefined || flags.name === known ? '' : keptNameText
        logLine(welcomed ? 'the controller is back' : `${known} is part of the fleet${other}`)
        welcomed = true
      },
      onRefused: (code, message) => refused.reject(refusalFailure(code, message)),
    })
    signalsFree()
    const { devices } = agent.inventory
    const names = devices.map((device) => deviceText(device, devices))
    logLine(`this machine has ${names.join(', ') || 'no device'}`)
    const stopped = new Promise<void>((resolve) => onStopSignals(resolve))
    await Promise.race([stopped, refused.promise])
    const running = runsEngines
      ? '; its engines run on, and it finds them again: to end them, start it again and type "motley drain NODE"'
      : ''
    logLine(`the agent ends${running}`)
    await agent.close()
    process.exit(0)
  } catch (error) {
    await agent?.close()
    if (error instanceof NotJoinedError) {
      throw new CommandFailure(
        'wrong',
        flags.join === undefined
          ? 'this machine has not joined a fleet: run "motley token create" where the controller runs, and start the agent as it prints'
          : '--join needs a token for the first time: make one with "motley token create" where the controller runs',
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

const keptNameText = '; it keeps that name, and --name is for the first time only'

/** Exit code 3 where there is no controller, or none any more, for this machine. */
function refusalFailure(code: Refusal, message: string): CommandFailure {
  const words = asClause(message)
  if (code === 'unreachable') return new CommandFailure('unreachable', words)
  return new CommandFailure(
    code === 'revoked' ? 'unreachable' : 'wrong',
    `the controller refuses: ${words}`,
  )
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
