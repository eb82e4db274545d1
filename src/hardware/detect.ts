/** What is in a machine: the readings of all probes as one list of devices. */
import { z } from 'zod'
import { device, nodeFacts, problem } from '#core/device.ts'
import type { Captured, Machine, Probe, SourceDevices } from '#hardware/probe.ts'
import { capture } from '#hardware/probe-capture.ts'
import { mergeDevices } from '#hardware/probe-merge.ts'
import type { Clock } from '#std/clock.ts'

/** What `motley detect --json` prints; fields are added, never changed. */
export const inventory = z.object({
  os: z.enum(['linux', 'darwin', 'win32', 'freebsd']),
  devices: z.array(device),
  problems: z.array(problem),
  /** Null where nothing is known of the node itself. */
  node: nodeFacts.nullable(),
})
export type Inventory = z.infer<typeof inventory>

export interface Detection {
  readonly inventory: Inventory
  /** What each probe was told, for doctor to look closer. */
  readonly captured: ReadonlyMap<Probe, Captured>
}

/** Rejects never: what cannot be found out is null in the inventory, or a problem. */
export async function detect(
  probes: readonly Probe[],
  machine: Machine,
  options: { readonly clock: Clock; readonly limitMs?: number },
): Promise<Detection> {
  const captured = await capture(probes, machine, options)
  return { inventory: readInventory(captured, machine.system), captured }
}

function readInventory(captured: ReadonlyMap<Probe, Captured>, os: Machine['system']): Inventory {
  const readings = [...captured].map(([probe, answers]) => probe.read(answers))
  const problems = readings.flatMap((reading) => reading.problems)
  return {
    os,
    devices: mergeDevices(inTrustOrder(readings.map(({ sources }) => sources))),
    node: readings.find(({ node }) => node !== undefined)?.node ?? null,
    problems: problems.filter(
      ({ what }, index) => problems.findIndex((other) => other.what === what) === index,
    ),
  }
}

/** Each vendor's own order stays; what is only a last resort comes after all that is not. */
function inTrustOrder(sources: readonly (readonly SourceDevices[])[]): SourceDevices[] {
  const all = sources.flat()
  return [
    ...all.filter(({ lastResort }) => !lastResort),
    ...all.filter(({ lastResort }) => lastResort),
  ]
}
