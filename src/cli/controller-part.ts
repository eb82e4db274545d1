/**
 * The controller beside a gateway, and the agent of this very machine: what `motley up` and
 * `motley controller` run besides answering.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Agent, type AgentOptions, startAgent } from '#agent/agent.ts'
import { agentDirectory } from '#agent/agent-directory.ts'
import { agentOptions } from '#cli/agent-options.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { dataDirectory, dataDirectoryFailure } from '#cli/data-directory.ts'
import { withAppliedModels } from '#cli/fleet-models.ts'
import { listenFailure } from '#cli/listen-failure.ts'
import { PlannerWorker } from '#cli/planner-worker.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import { answerAdmin } from '#controller/admin.ts'
import { type Controller, startController } from '#controller/controller.ts'
import { StoreError } from '#controller/event-store.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { type EndpointConfig, endpointConfig } from '#core/config/endpoints.ts'
import { engineIds } from '#core/engine-id.ts'
import { engineCatalog } from '#engines/index.ts'
import type { AdminPages } from '#gateway/admin-pages.ts'
import type { Gateway } from '#gateway/gateway.ts'
import type { ReplicaAlarms } from '#gateway/replica-alarms.ts'
import type { Sleepers } from '#gateway/sleepers.ts'
import { liveMachine } from '#hardware/machine/live-machine.ts'
import { systemClock } from '#std/clock.ts'
import { makeFolderSync } from '#std/make-folder.ts'
import { type Certificate, makeCertificate, readCertificate } from '#std/self-signed-certificate.ts'

export interface ControllerPart {
  readonly controller: Controller
  readonly admin: AdminPages
  /** Models of deployments, which a request may wake. */
  readonly sleepers: Sleepers
  /** Takes what a configuration says of deployments and nodes. */
  configure(config: MotleyConfig): void
  /** From now on this gateway tells who asks for which model. */
  listenTo(gateway: Pick<Gateway, 'demand'>): void
  /** The models of a configuration, and those that were applied beside it. */
  models(config: MotleyConfig): MotleyConfig['models']
  /** Replicas and attached engines that gateways should know, as endpoints. */
  endpoints(): EndpointConfig[]
  /** Of replicas that their agents have told of. */
  readonly alarms: () => readonly ReplicaAlarms[]
  close(): Promise<void>
}

/**
 * Null where the fleet of this directory has a controller already: then this process only answers.
 * Throws as listening does.
 */
export async function startControllerPart(
  config: MotleyConfig,
  log: (line: string) => void,
  alone: boolean,
  agentMore: Partial<AgentOptions> = {},
): Promise<ControllerPart | null> {
  if (!config.controller.enabled) return null
  const directory = join(dataDirectory(), 'controller')
  const { host, port } = controllerAddress(config)
  let started: Controller | null = null
  const planner = new PlannerWorker()
  let current = config
  let demand: Gateway['demand'] = () => []
  try {
    started = await startController({
      directory,
      certificate: await ownCertificate(directory),
      host,
      port,
      clock: systemClock,
      log,
      planning: {
        makePlan: (input) => planner.plan(input),
        settings: () => ({ engines: engineCatalog, reserve: current.controller.reserve }),
        replaceAfterMs: () => current.controller.replaceAfterMs,
        demand: () => demand(),
      },
    })
    started.configure(wishesOf(config))
  } catch (error) {
    await started?.close()
    const storeFailure =
      error instanceof StoreError
        ? new CommandFailure('unreachable', error.message, { cause: error })
        : null
    const words = { option: (at: string, next: number) => `controller.listen: ${at}:${next}` }
    const failure =
      storeFailure ?? dataDirectoryFailure(error) ?? listenFailure(error, `${host}:${port}`, words)
    // Somebody who only wants answers is not kept from them by a second program on this machine.
    if (alone) throw failure
    log(`no machine can join this one: ${(failure as Error).message}`)
    return null
  }
  const controller = started
  // It looks at the machine first, which takes a second or more: nobody waits for that.
  const agent = startOwnAgent(controller, log, agentMore)
  return {
    controller,
    admin: (request) => answerAdmin(controller, request),
    sleepers: {
      find: (model) => controller.sleeping(model),
      wake(model) {
        try {
          controller.wake(model)
          return null
        } catch (error) {
          if (error instanceof StoreError) return error.message
          throw error
        }
      },
      models: () => controller.deployedModels(),
    },
    configure(next) {
      current = next
      controller.configure(wishesOf(next))
    },
    listenTo(gateway) {
      demand = () => gateway.demand()
    },
    models: ({ models }) => withAppliedModels(models, controller.state),
    endpoints: () => fleetEndpoints(controller, log),
    alarms: () =>
      controller
        .replicas()
        .flatMap(({ spec, nodeName, reported }) =>
          reported === null ? [] : [{ node: nodeName, replica: spec.id, alarms: reported.alarms }],
        ),
    async close() {
      // Whoever ends this program with Ctrl-C does not expect that memory stays taken.
      const running = controller.replicas().filter(({ reported }) => reported !== null).length
      if (running > 0) {
        const what = running === 1 ? '1 replica runs' : `${running} replicas run`
        const end = running === 1 ? 'it' : 'them'
        log(
          `${what} on, to be found again at the next start: to end ${end}, start again and type "motley drain NODE"`,
        )
      }
      await (await agent)?.close()
      const closed = controller.close()
      await planner.close()
      await closed
    },
  }
}

/** With a gateway on any free port, as in tests, the controller takes any as well. */
function controllerAddress({ gateway, controller }: MotleyConfig): { host: string; port: number } {
  const colon = controller.listen.lastIndexOf(':')
  const anyPort = gateway.listen.endsWith(':0') && controller.listen === '127.0.0.1:7071'
  return {
    host: controller.listen.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: anyPort ? 0 : Number(controller.listen.slice(colon + 1)),
  }
}

/** Left out with a line is what no gateway could use, as the address of an agent nobody can dial. */
function fleetEndpoints(controller: Controller, log: (line: string) => void): EndpointConfig[] {
  const replicas = controller.endpoints().map(({ replica, model, engine, ...way }) => ({
    ...way,
    name: replica,
    models: [model],
    ...((engineIds as readonly (string | null)[]).includes(engine) ? { engine } : {}),
  }))
  // What each of these is and serves is asked again and again: it is somebody else's.
  const attached = controller
    .attachedAddresses()
    .map(({ id, ...way }) => ({ ...way, name: id, measured: null, contextTokens: null }))
  return [...replicas, ...attached].flatMap(
    ({ node, fingerprint, held, measured, contextTokens, ...endpoint }) => {
      const parsed = endpointConfig.safeParse({ ...endpoint, labels: { node } })
      if (!parsed.success) {
        log(
          `${endpoint.name} on ${node} is left out: ${endpoint.url} or what it serves cannot be used`,
        )
        return []
      }
      const peer = { own: controller.certificate, fingerprint }
      return [
        {
          ...parsed.data,
          peer,
          ...(held === null ? {} : { held }),
          ...(measured === null ? {} : { measured }),
          ...(contextTokens === null ? {} : { contextTokens }),
        },
      ]
    },
  )
}

/** What agents know this controller by, made once: a new one would leave them all behind. */
async function ownCertificate(directory: string): Promise<Certificate> {
  const file = join(directory, 'certificate.json')
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const made = await makeCertificate('motley-controller', Date.now())
    makeFolderSync(directory, { mode: 0o700 })
    const draft = `${file}.new`
    writeFileSync(draft, JSON.stringify(made), { mode: 0o600 })
    const handle = openSync(draft, 'r')
    fsyncSync(handle)
    closeSync(handle)
    renameSync(draft, file)
    return made
  }
  try {
    const { certificate, privateKey } = JSON.parse(text) as Certificate
    return readCertificate(certificate, privateKey)
  } catch (cause) {
    throw new CommandFailure(
      'unreachable',
      `${file} is damaged: put a copy of it back, or remove it and let every machine join again`,
      { cause },
    )
  }
}

/** Null on a full disk, which only stops a machine that has not joined before. */
function ownSecret(controller: Controller): string | null {
  try {
    return controller.createToken(ownTokenMs).token.split('.')[0] ?? null
  } catch (error) {
    if (error instanceof StoreError) return null
    throw error
  }
}

/** A token that is used within the same second. */
const ownTokenMs = 60_000

async function startOwnAgent(
  controller: Controller,
  log: (line: string) => void,
  more: Partial<AgentOptions>,
): Promise<Agent | null> {
  const options = agentOptions(liveMachine({ env: process.env }), log)
  const { fingerprint } = controller.certificate
  const host = ['0.0.0.0', '::'].includes(controller.host) ? '127.0.0.1' : controller.host
  try {
    return await startAgent({
      ...options,
      ...more,
      directory: agentDirectory(dataDirectory()),
      join: {
        address: { host, port: controller.port, fingerprint },
        secret: ownSecret(controller),
      },
      joinWithinMs: ownTokenMs,
      name: ownNodeName(),
      ingress: { host: '127.0.0.1', port: 0 },
      advertisedHost: '127.0.0.1',
      onRefused: (_code, message) => log(`this machine is no node of its own fleet: ${message}`),
    })
  } catch (error) {
    log(`this machine is no node of its own fleet: ${(error as Error).message}`)
    return null
  }
}

/** What can stand in commands and labels. */
export function ownNodeName(): string {
  return (
    hostname()
      .toLowerCase()
      .replace(/\..*$/, '')
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 63) || 'node'
  )
}
