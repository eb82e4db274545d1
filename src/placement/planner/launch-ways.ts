/** For what an engine is built on a machine, and how it may be started there. */
import type { Deployment } from '#core/deployment.ts'
import { type Backend, backendsOfVendor, type LaunchKind } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { PlacementDevice } from '#placement/inventory.ts'
import type { MachineClass } from '#placement/planner/site.ts'

export function backendsHere(
  deployment: Deployment,
  engine: EngineFacts,
  devices: readonly PlacementDevice[],
): Backend[] {
  const wanted = deployment.constraints.backends
  const here = new Set(devices.flatMap(({ device }) => backendsOfVendor[device.vendor]))
  const built = new Set(engine.supports.map(({ backend }) => backend))
  return [...built].filter(
    (backend) => here.has(backend) && (wanted === null || wanted.includes(backend)),
  )
}

/** The one to try first before the others. */
export function launchKinds(
  engine: EngineFacts,
  backend: Backend,
  { example: { engines, os } }: MachineClass,
): LaunchKind[] {
  const kinds = engine.supports
    .filter((support) => support.backend === backend && support.os.includes(os))
    .flatMap((support) => support.kinds)
  const here = engines?.find((one) => one.engine === engine.id)
  const all = [...new Set(kinds)]
  // Containers are fetched; a program has to be there. Where neither can be, the refusal says why.
  const startable = all.filter(
    (kind) => engines === null || kind === 'container' || here?.kinds.includes(kind),
  )
  if (startable.length === 0) return all
  // What an image is built for is known; what a program does not tell may be the CPU alone.
  const isSure = here?.assumed !== true
  return isSure ? startable : startable.toSorted((one, other) => rankOf(one) - rankOf(other))
}

const rankOf = (kind: LaunchKind): number => (kind === 'container' ? 0 : 1)
