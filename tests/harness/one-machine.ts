/** A controller, the agent of this machine and a gateway, as `motley up` runs them, in one process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentOptions } from '#agent/agent.ts'
import { watchEndpoints } from '#agent/endpoint-watcher.ts'
import { type AdminAsk, askController } from '#cli/admin-client.ts'
import { agentOptions } from '#cli/agent-options.ts'
import { ownNodeName, startControllerPart } from '#cli/controller-part.ts'
import { machineOf } from '#cli/recorded-machine.ts'
import { motleyConfig } from '#core/config/document.ts'
import type { EndpointId } from '#core/ids.ts'
import { startGateway } from '#gateway/gateway.ts'
import type { Machine } from '#hardware/probe.ts'
import { afterTest } from './after-test.ts'
import type { EndpointRow } from './fleet.ts'
import { untilTrue } from './until-true.ts'

export interface OneMachine {
  readonly url: string
  /** What the only node is called. */
  readonly node: string
  /** Every line that was logged. */
  readonly log: readonly string[]
  /** Asks the pages under /admin/v1/. */
  admin<Answer>(path: string, method?: AdminAsk['method'], body?: unknown): Promise<Answer>
  /** Resolves with the endpoint of this name once it is in this state. */
  untilState(name: string, state: string): Promise<EndpointRow>
  close(): Promise<void>
}

/** The embedded engine is said to have a build for CUDA, and finds no GPU when it starts. */
function recorded(machine: Machine): Pick<AgentOptions, 'machine' | 'ownProgram'> {
  const { ownProgram } = agentOptions(machine, () => {})
  return { machine, ownProgram: { ...ownProgram, backends: { cpu: [], cuda: [] } } }
}

/** A folder that is gone after the test; where Motley keeps everything meanwhile. */
export function dataFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'motley-machine-'))
  const before = process.env['MOTLEY_DATA_DIR']
  process.env['MOTLEY_DATA_DIR'] = folder
  afterTest(() => {
    if (before === undefined) delete process.env['MOTLEY_DATA_DIR']
    else process.env['MOTLEY_DATA_DIR'] = before
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/**
 * Needs a {@link dataFolder}. Engines of others are looked for at `enginePorts`. `recording`: a
 * folder of fixtures/hardware, whose devices this machine then says it has.
 */
export async function oneMachine(
  enginePorts: readonly number[] = [],
  recording?: string,
): Promise<OneMachine> {
  const log: string[] = []
  const config = motleyConfig.parse({
    gateway: { listen: '127.0.0.1:0', accessLog: 'off' },
    routing: { slowStartMs: 0 },
  })
  const part = await startControllerPart(config, (line) => log.push(line), true, {
    enginePorts,
    ...(recording === undefined ? {} : recorded(machineOf({ recording }))),
  })
  if (part === null) throw new Error(`there is no controller: ${log.join('\n')}`)
  const withFleet = () => ({
    ...config,
    models: part.models(config),
    endpoints: part.endpoints(),
  })
  let suspect = (_id: EndpointId): void => {}
  const gateway = await startGateway({
    config: withFleet(),
    log: (line) => log.push(line),
    version: 'test',
    onSuspect: (id) => suspect(id),
    admin: part.admin,
    replicaAlarms: part.alarms,
    sleepers: part.sleepers,
  })
  const watcher = watchEndpoints({
    endpoints: withFleet().endpoints,
    report: (report) => gateway.report(report),
  })
  suspect = (id) => watcher.checkNow(id)
  part.controller.onEndpointsChanged(() => {
    gateway.reload(withFleet())
    watcher.update(withFleet().endpoints)
  })
  let closed = false
  const { url } = gateway
  const machine: OneMachine = {
    url,
    log,
    node: ownNodeName(),
    admin: async <Answer>(path: string, method: AdminAsk['method'] = 'GET', body?: unknown) =>
      (await askController(
        `/admin/v1/${path}`,
        { url },
        { method, withinMs: 120_000, ...(body === undefined ? {} : { body }) },
      )) as Answer,
    async untilState(name, state) {
      let rows: readonly EndpointRow[] = []
      const look = async () => {
        rows = (await machine.admin<{ endpoints: EndpointRow[] }>('endpoints')).endpoints
        return rows.some((row) => row.name === name && row.state === state)
      }
      await untilTrue(`${name} is ${state}`, look, {
        everyMs: 20,
        withinMs: 20_000,
        seen: () => rows,
      })
      return rows.find((row) => row.name === name) as EndpointRow
    },
    async close() {
      if (closed) return
      closed = true
      watcher.close()
      await gateway.close()
      await part.close()
    },
  }
  afterTest(() => machine.close())
  const joined = async () => {
    const { nodes } = await machine.admin<{ nodes: { presence: string }[] }>('nodes')
    return nodes.some(({ presence }) => presence === 'ready')
  }
  await untilTrue('this machine is a node', joined, { everyMs: 20, seen: () => log })
  return machine
}
