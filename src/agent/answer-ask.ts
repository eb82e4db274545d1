/** What a controller asks of an agent, and is told once: logs, a measurement, what is at a port. */
import { measureReplica } from '#agent/benchmark-replica.ts'
import { devicesOf } from '#agent/device-key.ts'
import type { EngineFinder } from '#agent/engine-finder.ts'
import type { PageFetcher } from '#agent/page-fetcher.ts'
import type { ReplicaAlarms } from '#agent/replica-alarms.ts'
import type { Supervisor } from '#agent/replicas/supervisor.ts'
import { decodeBoundTokensPerSecond, slowDecodeAlarm } from '#core/decode-speed.ts'
import { type ReplicaId, replicaId } from '#core/ids.ts'
import type { Inventory } from '#hardware/detect.ts'
import type { ControllerMessage, ReplicaSpeed } from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'

export interface AskTools {
  readonly supervisor: Supervisor
  readonly finder: EngineFinder
  readonly alarms: ReplicaAlarms
  readonly devices: Inventory['devices']
  readonly inspect: (source: string) => Promise<unknown>
  readonly fetchPage: PageFetcher
  readonly clock: Clock
}

/** Rejects with words for people. */
export async function answerAsk(
  what: Extract<ControllerMessage, { type: 'ask' }>['what'],
  params: Readonly<Record<string, unknown>>,
  tools: AskTools,
): Promise<unknown> {
  switch (what) {
    case 'look-at':
      return await tools.finder.lookAt(Number(params['port']))
    case 'inspect':
      return await tools.inspect(String(params['source']))
    case 'logs':
      return await tools.supervisor.logs(idOf(params), numberOrNull(params['after']))
    case 'benchmark':
      return await measured(idOf(params), tools)
  }
}

/** A replica far under the speed of its devices raises an alarm by that. */
async function measured(
  id: ReplicaId,
  { supervisor, alarms, devices, fetchPage, clock }: AskTools,
): Promise<ReplicaSpeed> {
  const { about, port } = supervisor.specOf(id)
  const speed = await measureReplica({ port, about, fetchPage, clock })
  const own = devicesOf(devices, about['devices'] ?? '')
  const bound = decodeBoundTokensPerSecond(
    Number(about['weightsBytes'] ?? 0),
    own.map((device) => device.memoryBandwidthBytesPerSecond),
  )
  const names = own.map((device) => device.name).join(' and ')
  alarms.noteBenchmark(id, slowDecodeAlarm(speed.decodeTokensPerSecond, bound, names))
  return { ...speed, boundTokensPerSecond: bound }
}

function idOf(params: Readonly<Record<string, unknown>>): ReplicaId {
  return replicaId(String(params['replica']))
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
