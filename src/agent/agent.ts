/**
 * The agent of one machine: it knows the machine's devices and engines, keeps the replicas that the
 * controller wants, and lets gateways in to them. When it dies its engines run on; when it comes
 * back it finds them.
 */
import { join } from 'node:path'
import { answerAsk } from '#agent/answer-ask.ts'
import { chooseLaunch, NoLaunchError, type OwnProgram } from '#agent/choose-launch.ts'
import { containerSoftware } from '#agent/container-software.ts'
import { ControllerLink, type Refusal } from '#agent/controller-link.ts'
import { EngineFinder, usualPorts } from '#agent/engine-finder.ts'
import { type OpenPageFetcher, openPageFetcher } from '#agent/fetch-page.ts'
import { FreePorts } from '#agent/free-ports.ts'
import { type AgentIdentity, type ControllerAddress, readIdentity } from '#agent/identity.ts'
import { type Ingress, openIngress } from '#agent/ingress.ts'
import { inspectWeights } from '#agent/inspect-weights.ts'
import { installedEngines } from '#agent/installed-engines.ts'
import {
  controllerOf,
  hasJoinedAt,
  type JoinWish,
  rememberController,
} from '#agent/joined-controller.ts'
import { machineMark } from '#agent/machine-mark.ts'
import { type FoundSoftware, NodeReport } from '#agent/node-report.ts'
import { bringWeights, type WeightsContext } from '#agent/node-weights.ts'
import { PeerNodes } from '#agent/peer-nodes.ts'
import { probeReplica } from '#agent/probe-replica.ts'
import { RepeatedLook } from '#agent/repeated-look.ts'
import { ReplicaAlarms } from '#agent/replica-alarms.ts'
import { ReplicaKeeper } from '#agent/replica-keeper.ts'
import { ReplicaMemory } from '#agent/replica-memory.ts'
import { containerLauncher } from '#agent/replicas/engine-container.ts'
import { processLauncher } from '#agent/replicas/engine-process.ts'
import { openSupervisor, type Supervisor } from '#agent/replicas/supervisor.ts'
import type { OperatingSystem } from '#core/engine-build.ts'
import { replicaId } from '#core/ids.ts'
import { engines } from '#engines/index.ts'
import { detect, type Inventory } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import { deviceGroupIds } from '#hardware/machine/device-groups.ts'
import type { Machine } from '#hardware/probe.ts'
import type { ReportedReplica } from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'
import { makeFolder } from '#std/make-folder.ts'
import { answerWeights, sendWeightsAnswer } from '#weights/serve.ts'

export interface AgentOptions {
  /** Where its identity, its records and the logs of its replicas lie. */
  readonly directory: string
  /** Null for a node that has joined before, as is the secret of one that needs only the address. */
  readonly join: JoinWish | null
  /** So long it looks for a controller that has not taken it before. */
  readonly joinWithinMs: number
  readonly name: string
  readonly version: string
  /** Where gateways reach its engines; port 0 takes any. */
  readonly ingress: { readonly host: string; readonly port: number }
  /** What gateways dial to come there; null for wherever this agent's connection comes from. */
  readonly advertisedHost: string | null
  readonly machine: Machine
  /** False for a machine that is only replayed. */
  readonly runsEngines: boolean
  readonly weights: WeightsContext
  /** Where engines of others are looked for; left out: the usual ports of all engines. */
  readonly enginePorts?: readonly number[]
  /** Starts the engine that is part of Motley. */
  readonly ownProgram: OwnProgram
  /** Where a program is; null where it is not there. */
  readonly findProgram: (command: string) => string | null
  /** `docker`, or `podman`. */
  readonly containerRuntime: string
  readonly clock: Clock
  readonly chance: () => number
  readonly log: (line: string) => void
  /** Called once it is part of the fleet, and each time that it is again, with its name there. */
  readonly onWelcome?: (name: string) => void
  /**
   * The controller will not have it, and it dials no more. What runs goes on, unless the node was
   * revoked: then its replicas have been ended, and the agent is closed.
   */
  readonly onRefused: (code: Refusal, message: string) => void
}

export interface Agent {
  readonly inventory: Inventory
  readonly ingressPort: number
  /** Its engines run on. */
  close(): Promise<void>
  /** Ends its engines, too. */
  closeAndStop(): Promise<void>
}

/** There is neither a controller it belongs to nor a token for one. */
export class NotJoinedError extends Error {}

/** Devices come and go with drivers, eGPUs and BIOS settings: rarely. */
const detectAgainMs = 5 * 60_000

/** After a replica has come or gone, memory is used in another way: whoever plans should see that. */
const detectSoonMs = 2_000

/** Rejects with {@link NotJoinedError}, and as `readIdentity`, `openSupervisor` and `openIngress` do. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const identity = await readIdentity(options.directory, Date.now())
  const controller = controllerOf(options.join, identity)
  if (controller === null) throw new NotJoinedError('this machine has not joined a controller')
  const { inventory } = await detect(probes, options.machine, { clock: options.clock })
  const pages = openPageFetcher()
  let supervisor: Supervisor | null = null
  try {
    supervisor = await openNodeSupervisor(options, pages)
    return await runAgent({ options, identity, controller, inventory, pages, supervisor })
  } catch (error) {
    await supervisor?.close()
    pages.close()
    throw error
  }
}

function openNodeSupervisor(
  { directory, containerRuntime, clock, log }: AgentOptions,
  pages: OpenPageFetcher,
): Promise<Supervisor> {
  return openSupervisor({
    dataDirectory: directory,
    launcher: containerLauncher(processLauncher(clock), containerRuntime),
    probe: (spec, signal) => probeReplica(pages.fetchPage, spec, signal),
    warn: log,
    clock,
  })
}

interface AgentParts {
  readonly options: AgentOptions
  readonly identity: AgentIdentity
  readonly controller: ControllerAddress
  readonly inventory: Inventory
  readonly pages: OpenPageFetcher
  readonly supervisor: Supervisor
}

async function runAgent(parts: AgentParts): Promise<Agent> {
  const { options, identity, controller, pages, supervisor } = parts
  const { clock, log } = options
  let { inventory } = parts
  const peers = new PeerNodes(identity.certificate, options.weights.http)
  const ports = new FreePorts((port) => supervisor.list().some((replica) => replica.port === port))
  let ingress: Ingress | null = null
  let link: ControllerLink | null = null
  const weightsContext = (): WeightsContext => {
    return { ...options.weights, http: peers, nodes: peers.urls }
  }
  const bring = async (
    source: string,
    signal: AbortSignal,
    onProgress: (doneBytes: number, totalBytes: number | null) => void,
  ) => {
    const startedAtMs = clock.nowMs()
    const brought = await bringWeights(source, weightsContext(), signal, onProgress)
    report.noteTransfer(brought.transferredBytes, clock.nowMs() - startedAtMs)
    return brought
  }
  const keeper: ReplicaKeeper = new ReplicaKeeper({
    supervisor,
    clock,
    bringWeights: (source, signal, onProgress) => {
      if (!options.runsEngines) {
        throw new NoLaunchError('this agent replays a recorded machine, and runs nothing')
      }
      return bring(source, signal, onProgress)
    },
    choose: async (spec, weights) => {
      const port = await ports.next()
      const cacheDirectory = join(options.directory, 'cache')
      await makeFolder(join(cacheDirectory, spec.kind))
      const chosen = chooseLaunch({
        spec,
        weights,
        port,
        os: osNames[inventory.os],
        devices: inventory.devices,
        ownProgram: options.ownProgram,
        findProgram: options.findProgram,
        installed: report.installed,
        deviceGroupIds: await deviceGroupIds(),
        cacheDirectory,
        engines,
      })
      await memory.noteBefore(replicaId(spec.id))
      return { ...chosen, port }
    },
    claim: (reference, label) => options.weights.store.claim(reference, process.pid, label),
    untilIdle: async (id, signal) => await ingress?.untilIdle(id, signal),
    onChange: () => link?.reportReplicas(reported()),
    log,
  })
  const alarms = new ReplicaAlarms({
    directory: options.directory,
    supervisor,
    clock,
    onChange: () => link?.reportReplicas(reported()),
    log,
  })
  const memory = new ReplicaMemory({
    supervisor,
    detect: async () => (await detect(probes, options.machine, { clock })).inventory.devices,
    fetchPage: pages.fetchPage,
    onChange: () => link?.reportReplicas(reported()),
    log,
  })
  const report = new NodeReport({
    store: options.weights.store,
    supervisor,
    findEngines: () => findSoftware(options, osNames[inventory.os]),
    clock,
    machine: options.runsEngines ? await machineMark(process.platform) : null,
    isRecording: !options.runsEngines,
    onReplicasMoved: () => looks.soon(),
  })
  const looks = new RepeatedLook({
    clock,
    everyMs: detectAgainMs,
    soonMs: detectSoonMs,
    async look() {
      const [found] = await Promise.all([detect(probes, options.machine, { clock }), report.look()])
      inventory = found.inventory
    },
    onSeen: () => link?.reportInventory(report.with(inventory)),
  })
  const reported = (): ReportedReplica[] =>
    keeper.reported().map((replica) => ({
      ...replica,
      alarms: [...replica.alarms, ...alarms.of(replica.id)],
      memory: memory.of(replica.id),
    }))
  /** Ports of engines of others that gateways may reach, by the names of their endpoints. */
  let attached: ReadonlyMap<string, number> = new Map()
  const opened = await openIngress({
    certificate: identity.certificate,
    ...options.ingress,
    mayReach(fingerprint) {
      if (fingerprint === null) return null
      if (fingerprint === controller.fingerprint) return 'everything'
      return peers.knows(fingerprint) ? 'weights' : null
    },
    async answerWeights(request, response) {
      const { method = 'GET', url: path = '', headers } = request
      const asked = { method, path, range: headers.range, ifRange: oneOf(headers['if-range']) }
      const answer = await answerWeights(asked, options.weights.store)
      if (answer !== null) await sendWeightsAnswer(response, answer)
      return answer !== null
    },
    portOf: (replica) => keeper.portOf(replica),
    attachedPortOf: (id) => attached.get(id) ?? null,
  }).catch((error: unknown) => {
    keeper.close()
    throw error
  })
  ingress = opened
  link = new ControllerLink({
    identity,
    controller,
    token: options.join?.secret ?? null,
    hasJoined: hasJoinedAt(options.join, identity, controller),
    name: options.name,
    version: options.version,
    ingress: { host: options.advertisedHost, port: opened.port },
    clock,
    chance: options.chance,
    joinWithinMs: options.joinWithinMs,
    onWelcome(name) {
      rememberController(options, identity, controller)
      options.onWelcome?.(name)
    },
    onRefused(code, message) {
      if (code === 'revoked') void leave(message)
      else options.onRefused(code, message)
    },
    onPeers: (known) => peers.know(known),
    onDesired: (replicas, strange) => keeper.want(replicas, strange),
    onAttached(endpoints) {
      attached = new Map(endpoints.map(({ id, port }) => [id, port]))
    },
    onAsk: (what, params) =>
      answerAsk(what, params, {
        supervisor,
        finder,
        alarms,
        devices: inventory.devices,
        inspect: (source) => inspectWeights(source, weightsContext()),
        fetchPage: pages.fetchPage,
        clock,
      }),
    log,
  })
  const finder: EngineFinder = new EngineFinder({
    // What is only replayed has no ports.
    ports: options.enginePorts ?? (options.runsEngines ? usualPorts : []),
    isOwn: (port) => supervisor.list().some((replica) => replica.port === port),
    fetchPage: pages.fetchPage,
    clock,
    onChange: (found) => link?.reportFound(found),
  })
  link.reportReplicas(reported())
  // Who plans with devices alone would count on engines that are not here.
  void report.look().then(() => {
    if (!looks.isClosed) link.reportInventory(report.with(inventory))
  })
  looks.later()
  let closing: Promise<void> | null = null
  return {
    inventory,
    ingressPort: opened.port,
    close: () => end(() => supervisor.close()),
    closeAndStop: () => end(() => supervisor.closeAndStop()),
  }

  function end(endSupervisor: () => Promise<void>): Promise<void> {
    closing ??= endAll(endSupervisor)
    return closing
  }

  async function endAll(endSupervisor: () => Promise<void>): Promise<void> {
    looks.close()
    report.close()
    finder.close()
    alarms.close()
    memory.close()
    keeper.close()
    link?.close()
    await Promise.all([endSupervisor(), opened.close(), peers.close()])
    pages.close()
  }

  /** Whoever takes a machine out of a fleet means what runs there for it, too. */
  async function leave(message: string): Promise<void> {
    const { length: running } = supervisor.list().filter(({ pid }) => pid !== null)
    try {
      await end(() => supervisor.closeAndStop())
      if (running > 0) log(`${running === 1 ? '1 replica was' : `${running} replicas were`} ended`)
    } catch (error) {
      log(`not all replicas could be ended: ${(error as Error).message}`)
    }
    options.onRefused('revoked', message)
  }
}

/** What is only replayed has no programs. */
async function findSoftware(options: AgentOptions, os: OperatingSystem): Promise<FoundSoftware> {
  if (!options.runsEngines) return { containers: { kind: 'none' }, engines: [] }
  const containers = await containerSoftware(options)
  const found = await installedEngines({
    ...options,
    engines,
    os,
    ownVersion: options.version,
    hasContainers: containers.kind === 'there',
  })
  return { containers, engines: found }
}

const osNames = { linux: 'linux', darwin: 'macos', win32: 'windows', freebsd: 'linux' } as const

/** Of a header that came several times, the first. */
function oneOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
