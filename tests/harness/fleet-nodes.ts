/** A controller and agents in this process, over real sockets, with real engines under them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Agent, type AgentOptions, startAgent } from '#agent/agent.ts'
import { type Controller, type ControllerOptions, startController } from '#controller/controller.ts'
import { liveMachine } from '#hardware/machine/live-machine.ts'
import type { ReplicaSpec } from '#protocol/agent-messages.ts'
import { type Clock, systemClock } from '#std/clock.ts'
import { makeCertificate } from '#std/self-signed-certificate.ts'
import { openHttpClient } from '#weights/http-client.ts'
import { openStore, type WeightsStore } from '#weights/store.ts'
import { afterTest } from './after-test.ts'
import { packageFile } from './package-file.ts'

/** Where what must be closed is left: with the test, or with a suite of tests. */
export type Later = (cleanup: () => Promise<unknown> | unknown) => void

export async function temporaryFolder(later: Later = afterTest): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'motley-test-'))
  later(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export async function controller(
  later: Later = afterTest,
  more: Partial<ControllerOptions> = {},
): Promise<Controller> {
  const started = await startController({
    directory: await temporaryFolder(later),
    certificate: await makeCertificate('test-controller', Date.now()),
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: () => {},
    ...more,
  })
  later(() => started.close())
  return started
}

export interface TestNode {
  readonly agent: Agent
  readonly name: string
  /** Of its identity, records and weights. */
  readonly directory: string
  readonly store: WeightsStore
}

export interface NodeOptions {
  readonly hubUrl?: string
  readonly later?: Later
  readonly clock?: Clock
  /** That of a node that was there before; left out: one of its own. */
  readonly directory?: string
  readonly onRefused?: AgentOptions['onRefused']
  /** What it starts as its engine; left out: the real one. */
  readonly ownProgram?: AgentOptions['ownProgram']
}

/** An agent that has joined; what it started is ended with the test. */
export async function node(
  fleet: Controller,
  name: string,
  {
    hubUrl = 'http://127.0.0.1:1',
    later = afterTest,
    clock = systemClock,
    directory: given,
    onRefused = () => {},
    ownProgram = {
      command: process.execPath,
      args: [
        '--conditions=motley-source',
        '--disable-warning=ExperimentalWarning',
        packageFile('src/embedded/main.ts'),
      ],
      backends: { cpu: [] },
    },
  }: NodeOptions = {},
): Promise<TestNode> {
  const directory = given ?? (await temporaryFolder(later))
  const store = openStore(join(directory, 'weights'))
  const http = openHttpClient()
  const [secret = ''] = fleet.createToken(60_000).token.split('.')
  const { fingerprint } = fleet.certificate
  const welcome = Promise.withResolvers<void>()
  const agent = await startAgent({
    directory,
    join: { address: { host: '127.0.0.1', port: fleet.port, fingerprint }, secret },
    joinWithinMs: 30_000,
    name,
    version: 'test',
    ingress: { host: '127.0.0.1', port: 0 },
    advertisedHost: '127.0.0.1',
    machine: liveMachine({ env: { PATH: '/nowhere' } }),
    runsEngines: true,
    weights: {
      http,
      clock,
      chance: Math.random,
      nodeHeaders: {},
      store,
      caches: [],
      nodes: [],
      hubUrl,
      hubToken: null,
    },
    ownProgram,
    findProgram: (command) => (command === process.execPath ? command : null),
    containerRuntime: 'docker',
    clock,
    chance: Math.random,
    log: () => {},
    onWelcome: () => welcome.resolve(),
    onRefused(code, message) {
      welcome.reject(new Error(message))
      onRefused(code, message)
    },
  })
  later(async () => {
    await agent.closeAndStop()
    await http.close()
  })
  await welcome.promise
  return { agent, name, directory, store }
}

/** What `startReplica` takes, for a model of the embedded engine. */
export function replicaWanted(source: string, model: string): Omit<ReplicaSpec, 'id'> {
  return {
    model,
    source,
    engine: null,
    backend: null,
    deviceIndexes: null,
    contextTokens: 512,
    slots: 4,
    kind: 'native',
    extraArguments: [],
  } satisfies Omit<ReplicaSpec, 'id'>
}
