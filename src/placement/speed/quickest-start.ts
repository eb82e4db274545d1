import type { Deployment } from '#core/deployment.ts'
import type { PlacementNode } from '#placement/inventory.ts'
import { deviceChecks, diskChecks, nodeChecks } from '#placement/planner/checks/index.ts'
import { startMs } from '#placement/speed/start-time.ts'

/**
 * How soon a replica could answer, were the quickest of the nodes that its deployment may be on free
 * for it; null where there is no such node, or nobody has read what its weights are.
 */
export function quickestStartMs(
  deployment: Deployment,
  nodes: readonly PlacementNode[],
): number | null {
  const open = nodes.filter((node) => isOpen(deployment, node))
  let quickestMs = Number.POSITIVE_INFINITY
  for (const variant of deployment.variants) {
    const { facts, format, source } = variant
    if (facts === null) continue
    for (const node of open) {
      if (diskChecks.some((check) => check.refuse(deployment, { variant }, node) !== null)) continue
      const ms = startMs({
        bytes: facts.tensorBytes,
        isThere: node.weights.includes(source),
        diskBytesPerSecond: node.diskBytesPerSecond,
        networkBytesPerSecond: node.networkBytesPerSecond,
        // What engines that record graphs are given.
        isCompiled: format === 'safetensors',
      })
      quickestMs = Math.min(quickestMs, ms)
    }
  }
  return quickestMs === Number.POSITIVE_INFINITY ? null : quickestMs
}

function isOpen(deployment: Deployment, node: PlacementNode): boolean {
  return (
    nodeChecks.every((check) => check.refuse(deployment, node) === null) &&
    node.devices.some((device) =>
      deviceChecks.every((check) => check.refuse(deployment, device, node) === null),
    )
  )
}
