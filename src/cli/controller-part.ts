/**
 * The controller beside a gateway, and the agent of this very machine: what `motley up` and
 * `motley controller` run besides answering.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Agent, agentDirectory, startAgent } from '#agent/agent.ts'
import { agentOptions } from '#cli/agent-options.ts'
import { dataDirectory } from '#cli/data-directory.ts'
import { listenFailure } from '#cli/listen-failure.ts'
import { answerAdmin } from '#controller/admin.ts'
import { type Controller, startController } from '#controller/controller.ts'
import { StoreInUseError } from '#controller/event-store.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { type EndpointConfig, endpointConfig, engineNames } from '#core/config/endpoints.ts'
import type { AdminPages } from '#gateway/admin-pages.ts'
import { liveMachine } from '#hardware/machine/live-machine.ts'
import { systemClock } from '#std/clock.ts'
import { type Certificate, fingerprintOf, makeCertificate } from '#std/self-signed-certificate.ts'

export interface ControllerPart {
  readonly controller: Controller
  readonly admin: AdminPages
  /** Replicas that gateways should know, as endpoints. */
  endpoints(): EndpointConfig[]
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
): Promise<ControllerPart | null> {
  if (!config.controller.enabled) return null
  const directory = join(dataDirectory(), 'controller')
  const { host, port } = controllerAddress(config)
  let controller: Controller
  try {
    controller = await startController({
      directory,
      certificate: await ownCertificate(directory),
      host,
      port,
      clock: systemClock,
      log,
    })
  } catch (error) {
    const words = { option: (at: string, next: number) => `controller.listen: ${at}:${next}` }
    const failure = listenFailure(error, `${host}:${port}`, words)
    // Somebody who only wants answers is not kept from them by a second program on this machine.
    if (alone) throw error instanceof StoreInUseError ? error : failure
    log(`no machine can join this one: ${(failure as Error).message}`)
    return null
  }
  const agent = await startOwnAgent(controller, log)
  return {
    controller,
    admin: (request) => answerAdmin(controller, request),
    endpoints: () => replicaEndpoints(controller),
    async close() {
      await agent?.close()
      await controller.close()
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

function replicaEndpoints(controller: Controller): EndpointConfig[] {
  const own = controller.certificate
  return controller.endpoints().map(({ replica, model, node, url, fingerprint, engine }) => ({
    ...endpointConfig.parse({
      url,
      name: replica,
      models: [model],
      labels: { node },
      ...((engineNames as readonly string[]).includes(engine) ? { engine } : {}),
    }),
    peer: { own, fingerprint },
  }))
}

/** What agents know this controller by, made once: a new one would leave them all behind. */
async function ownCertificate(directory: string): Promise<Certificate> {
  const file = join(directory, 'certificate.json')
  try {
    const { certificate, privateKey } = JSON.parse(readFileSync(file, 'utf8')) as Certificate
    return { certificate, privateKey, fingerprint: fingerprintOf(certificate) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const made = await makeCertificate('motley-controller', Date.now())
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeFileSync(`${file}.new`, JSON.stringify(made), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return made
}

/** A token that is used within the same second. */
const ownTokenMs = 60_000

async function startOwnAgent(
  controller: Controller,
  log: (line: string) => void,
): Promise<Agent | null> {
  const options = agentOptions(liveMachine({ env: process.env }), log)
  const [secret = ''] = controller.createToken(ownTokenMs).token.split('.')
  const { fingerprint } = controller.certificate
  const host = ['0.0.0.0', '::'].includes(controller.host) ? '127.0.0.1' : controller.host
  try {
    return await startAgent({
      ...options,
      directory: agentDirectory(dataDirectory()),
      join: { address: { host, port: controller.port, fingerprint }, secret },
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
      .replace(/[^a-z0-9-]+/g, '-') || 'node'
  )
}
