/** What was measured of replicas is kept: their speed when somebody asks, their memory at each load. */
import { askAgent } from '#controller/ask-agent.ts'
import {
  type MemoryMeasurement,
  measurementKey,
  memoryKey,
  type SpeedMeasurement,
} from '#controller/cluster-state.ts'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import type { Fleet } from '#controller/fleet.ts'
import { wantedReplica } from '#controller/replica-wishes.ts'
import type { NodeId } from '#core/ids.ts'
import { type ReportedReplica, replicaSpeed } from '#protocol/agent-messages.ts'
import { ownValue } from '#std/own-value.ts'

/** Every batch size is measured for some seconds; the largest model on a CPU needs minutes. */
const benchmarkWithinMs = 15 * 60_000

export interface MeasuredSpeed {
  readonly now: SpeedMeasurement
  /** The last one of the same kind; null for the first. */
  readonly before: SpeedMeasurement | null
}

export class Benchmarks {
  readonly #fleet: Fleet
  /** Nodes that are being measured. */
  readonly #busy = new Set<NodeId>()

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  /** Measures a replica and keeps the result; takes a minute or two. */
  async run(id: string): Promise<MeasuredSpeed> {
    const fleet = this.#fleet
    const { node, spec } = wantedReplica(fleet, id)
    const session = fleet.sessionOf(node)
    const reported = fleet.live.get(node)?.replicas.find((one) => one.id === spec.id)
    if (reported?.state !== 'ready') {
      const why = reported?.detail == null ? '' : `: ${reported.detail}`
      throw new ControllerRefusal(
        `${spec.id} is ${reported?.state ?? 'not known to its agent'}, and only what is ready can be measured${why}`,
      )
    }
    if (this.#busy.has(node)) {
      throw new ControllerRefusal(
        'this node is being measured already: two at a time would measure each other',
      )
    }
    this.#busy.add(node)
    try {
      const params = { replica: spec.id }
      const speed = await askAgent(session, replicaSpeed, 'benchmark', params, benchmarkWithinMs)
      const measuredAtMs = Math.round(fleet.clock.nowMs())
      return keepSpeed(fleet, { ...speed, node, model: spec.model, measuredAtMs })
    } finally {
      this.#busy.delete(node)
    }
  }
}

/** Another build of the engine is another key, and yet what people compare with. */
function keepSpeed(fleet: Fleet, now: SpeedMeasurement): MeasuredSpeed {
  const kindOf = (one: SpeedMeasurement) => measurementKey({ ...one, engineVersion: null })
  const [before = null] = Object.values(fleet.state.measurements)
    .filter((one) => kindOf(one) === kindOf(now))
    .toSorted((one, other) => other.measuredAtMs - one.measuredAtMs)
  fleet.append({ type: 'speed-measured', measurement: now })
  return { now, before }
}

/** Agents tell it again with every change of any replica: only what is new is an event. */
export function keepMemory(
  fleet: Fleet,
  teller: NodeId,
  { id, engine, backend, memory }: ReportedReplica,
): void {
  const { replicas } = fleet.state
  const wanted = ownValue(replicas, id)
  if (wanted?.node !== teller || engine === null || memory === null) return
  const { node, spec } = wanted
  const found = { ...memory, node, replica: id, engine, backend, model: spec.model }
  const known: MemoryMeasurement | undefined = fleet.state.memory[memoryKey(found)]
  const isKnown =
    known?.replica === id && JSON.stringify(known.devices) === JSON.stringify(memory.devices)
  if (isKnown) return
  const measuredAtMs = Math.round(fleet.clock.nowMs())
  const estimatedBytes = wanted.placed?.estimatedBytes ?? {}
  fleet.note({
    type: 'memory-measured',
    measurement: { ...found, measuredAtMs, estimatedBytes },
  })
}
