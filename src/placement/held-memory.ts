/**
 * Whose the used memory of a node is: what replicas of ours hold of its devices, and with that what
 * others do. Nothing is counted twice where devices live in the memory of the machine.
 */
import type { Device } from '#core/device.ts'
import { sharesHostMemory } from '#placement/memory/device-room.ts'
import { sum } from '#placement/memory/sums.ts'

/** What a replica was measured to take of one device. */
export interface TakenMemory {
  readonly takenBytes: number
  /** Of that, files: in memory while there is room, and not in what systems call used. */
  readonly mappedBytes: number
}

/** All of it by the ids of devices. */
export interface ReplicaHold {
  readonly claimedBytes: Readonly<Record<string, number>>
  /** Null while nobody has measured it. */
  readonly taken: Readonly<Record<string, TakenMemory>> | null
  /** `loading`: it takes more and more. `unknown`: its agent has not told of it yet. */
  readonly standing: 'ready' | 'loading' | 'ended' | 'unknown'
}

/**
 * What was measured, by device id. Where a GPU lives in the memory of the machine, the resident set
 * of the process is the same bytes seen once more, and is left out. Where one computes, files that
 * its process has mapped are what it was loaded from: they make room for whoever needs it.
 */
export function takenByDevice(
  measured: readonly (TakenMemory & { readonly vendor: string; readonly index: number | null })[],
  devices: ReadonlyMap<string, Device>,
): Record<string, TakenMemory> {
  const taken = measured.map((one) => ({ ...one, id: `${one.vendor}-${one.index ?? 0}` }))
  const isSeenTwice = taken.some(({ vendor, id }) => {
    const device = devices.get(id)
    return vendor !== 'cpu' && device !== undefined && sharesHostMemory(device)
  })
  const hasGpu = taken.some(({ vendor }) => vendor !== 'cpu')
  return Object.fromEntries(
    taken
      .filter(({ vendor }) => vendor !== 'cpu' || !isSeenTwice)
      .map(({ id, takenBytes, mappedBytes }) => [
        id,
        hasGpu
          ? { takenBytes: Math.max(0, takenBytes - mappedBytes), mappedBytes: 0 }
          : { takenBytes, mappedBytes },
      ]),
  )
}

/** Of the devices of which something was taken, those that compute: the CPU where it is alone. */
export function computingDevices(ids: readonly string[]): readonly string[] {
  const gpus = ids.filter((id) => !id.startsWith('cpu-'))
  return gpus.length > 0 ? gpus : ids
}

/** What of the used memory of a device is not ours. */
export function foreignBytes(
  id: string,
  devices: ReadonlyMap<string, Device>,
  holds: readonly ReplicaHold[],
): number {
  const device = devices.get(id)
  if (device === undefined) return 0
  const counted = countsWholeMachine(device)
    ? [...devices].flatMap(([one, other]) => (sharesHostMemory(other) ? [one] : []))
    : [id]
  const oursBytes = sum(counted.flatMap((one) => holds.map((hold) => usedBytes(hold, one))))
  return Math.max(0, (device.usedMemoryBytes ?? 0) - oursBytes)
}

/** Its figure is of all memory, whoever holds it: the GPU's part, and the mappings of its driver. */
function countsWholeMachine({ vendor, memory }: Device): boolean {
  return vendor === 'cpu' || memory.unified !== null
}

/** What is in the figures of the system: what was measured, else what it claimed once it is loaded. */
function usedBytes({ claimedBytes, taken, standing }: ReplicaHold, id: string): number {
  if (standing === 'ended') return 0
  const measured = taken?.[id]
  if (measured !== undefined) return Math.max(0, measured.takenBytes - measured.mappedBytes)
  return standing === 'ready' ? (claimedBytes[id] ?? 0) : 0
}
