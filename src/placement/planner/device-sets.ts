/** Which devices of a machine one replica may be spread over. */
import type { EngineFacts } from '#core/engine-facts.ts'
import type { PlacementDevice } from '#placement/inventory.ts'

/** Devices of a machine that are alike, by their positions. */
export interface DeviceKind {
  readonly example: PlacementDevice
  readonly locals: readonly number[]
}

export interface DeviceSet {
  readonly locals: readonly number[]
  /** Sets that are like it, itself among them: what holds for one holds for all. */
  readonly alike: readonly (readonly number[])[]
}

/** Sets of more than one device that an engine can spread a replica over. */
export function deviceSets(engine: EngineFacts, kinds: readonly DeviceKind[]): DeviceSet[] {
  if (engine.spread === 'tensor-parallel') {
    return kinds.flatMap(({ locals }) => {
      const sets: DeviceSet[] = []
      // Attention heads come in powers of two, so devices do.
      for (let size = 2; size <= locals.length; size *= 2) {
        const alike: (readonly number[])[] = []
        for (let at = 0; at + size <= locals.length; at += size) {
          alike.push(locals.slice(at, at + size))
        }
        sets.push({ locals: alike[0]!, alike })
      }
      return sets
    })
  }
  if (engine.spread === 'layers') {
    const gpus = kinds.filter(({ example }) => example.device.vendor !== 'cpu')
    const locals = gpus.flatMap((kind) => kind.locals)
    return locals
      .slice(1)
      .map((_, at) => locals.slice(0, at + 2))
      .map((set) => ({ locals: set, alike: [set] }))
  }
  return []
}
