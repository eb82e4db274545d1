/**
 * The agent of one machine: it knows the machine's devices and engines, keeps the replicas that the
 * controller wants, and lets gateways in to them. When it dies its engines run on; when it comes
 * back it finds them.
 */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { measureReplica } from '#agent/benchmark-replica.ts'
import { chooseLaunch, NoLaunchError } from '#agent/choose-launch.ts'
import { ControllerLink } from '#agent/controller-link.ts'
import { openPageFetcher } from '#agent/fetch-page.ts'
import { type ControllerAddress, readIdentity, writeIdentity } from '#agent/identity.ts'
import { openIngress } from '#agent/ingress.ts'
import { bringWeights, type WeightsContext } from '#agent/node-weights.ts'
import { probeReplica } from '#agent/probe-replica.ts'
import { ReplicaKeeper } from '#agent/replica-keeper.ts'
import { containerLauncher } from '#agent/replicas/engine-container.ts'
import { processLauncher } from '#agent/replicas/engine-process.ts'
import { openSupervisor } from '#agent/replicas/supervisor.ts'
import { replicaId } from '#core/ids.ts'
import { engines } from '#engines/index.ts'
import { detect, type Inventory } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import type { Machine } from '#hardware/probe.ts'
import type { RefusalCode } from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'

export interface AgentOptions {
  /** Where its identity, its records and the logs of its replicas lie. */
  readonly directory: string
  /** For the first time; null for a node that has joined before. */
  readonly join: { readonly address: ControllerAddress; readonly secret: string } | null
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
  /** Starts the engine that is part of Motley. */
  readonly ownProgram: { readonly command: string; readonly args: readonly string[] }
  /** Whether a program is on the PATH. */
  readonly isInstalled: (command: string) => boolean
  /** `docker`, or `podman`. */
  readonly containerRuntime: string
  readonly clock: Clock
  readonly chance: () => number
  readonly log: (line: string) => void
  /** Called once it is part of the fleet, and each time that it is again. */
  readonly onWelcome?: (node: string) => void
  /** The controller will not have it: it goes on with what runs, and dials no more. */
  readonly onRefused: (code: RefusalCode | 'wrong-certificate', message: string) => void
}

export interface Agent {
  readonly inventory: Inventory
  readonly ingressPort: number
  /** Its engines run on. */
  close(): Promise<void>
}

/** There is neither a controller it belongs to nor a token for one. */
export class NotJoinedError extends Error {}

/** Devices come and go with drivers, eGPUs and BIOS settings: rarely. */
const detectAgainMs = 5 * 60_000

/** Rejects with {@link NotJoinedError}, and as `openSupervisor` and `openIngress` do. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { clock, directory, log } = options
  const identity = await readIdentity(directory, Date.now())
  const controller = options.join?.address ?? identity.controller
  if (controller === null) throw new NotJoinedError('this machine has not joined a controller')
  const pages = openPageFetcher()
  let inventory = (await detect(probes, options.machine, { clock })).inventory
  const supervisor = await openSupervisor({
    dataDirectory: directory,
    launcher: containerLauncher(processLauncher(clock), options.containerRuntime),
    probe: (spec, signal) => probeReplica(pages.fetchPage, spec, signal),
    warn: log,
    clock,
  })
  const keeper: ReplicaKeeper = new ReplicaKeeper({
    supervisor,
    clock,
    bringWeights: (source, signal, onProgress) => {
      if (!options.runsEngines) {
        throw new NoLaunchError('this agent replays a recorded machine, and runs nothing')
      }
      return bringWeights(source, options.weights, signal, onProgress)
    },
    choose: async (spec, weights) => {
      const port = await freePort()
      const { ownProgram, isInstalled } = options
      const os = osNames[inventory.os]
      const { devices } = inventory
      const need = { spec, weights, port, os, devices, ownProgram, isInstalled, engines }
      return { ...chooseLaunch({ ...need, task: 'chat' }), port }
    },
    claim: (reference, label) => options.weights.store.claim(reference, process.pid, label),
    onChange: () => link?.reportReplicas(keeper.reported()),
    log,
  })
  const ingress = await openIngress({
    certificate: identity.certificate,
    ...options.ingress,
    allowedFingerprint: () => controller.fingerprint,
    portOf: (replica) => keeper.portOf(replica),
  })
  let link: ControllerLink | null = null
  link = new ControllerLink({
    identity,
    controller,
    token: options.join?.secret ?? null,
    name: options.name,
    version: options.version,
    ingress: { host: options.advertisedHost, port: ingress.port },
    clock,
    chance: options.chance,
    onWelcome(node) {
      // From now on it needs no token.
      if (identity.controller?.fingerprint !== controller.fingerprint) {
        writeIdentity(directory, { ...identity, controller })
      }
      options.onWelcome?.(node)
    },
    onRefused: options.onRefused,
    onDesired: (replicas) => keeper.want(replicas),
    async onAsk(what, params) {
      const id = replicaId(String(params['replica']))
      if (what === 'logs') return await supervisor.logs(id, numberOrNull(params['after']))
      const { about, port } = supervisor.specOf(id)
      return await measureReplica({ port, about, fetchPage: pages.fetchPage, clock })
    },
    log,
  })
  link.reportInventory(inventory)
  link.reportReplicas(keeper.reported())
  let cancelDetect = (): void => {}
  const detectLater = (): void => {
    cancelDetect = clock.schedule(detectAgainMs, async () => {
      inventory = (await detect(probes, options.machine, { clock })).inventory
      link?.reportInventory(inventory)
      detectLater()
    })
  }
  detectLater()
  return {
    inventory,
    ingressPort: ingress.port,
    async close() {
      cancelDetect()
      keeper.close()
      link?.close()
      await Promise.all([supervisor.close(), ingress.close()])
      pages.close()
    },
  }
}

/** Where an agent of this directory keeps itself. */
export function agentDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'agent')
}

const osNames = { linux: 'linux', darwin: 'macos', win32: 'windows', freebsd: 'linux' } as const

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
