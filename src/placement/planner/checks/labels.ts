import type { NodeCheck } from '#placement/planner/checks/check.ts'

/** Every label that a deployment asks for, with the very value. */
export const labels: NodeCheck = {
  name: 'labels',
  onRunning: () => 'moves',
  refuse(deployment, node) {
    const missing = Object.entries(deployment.constraints.labels).filter(
      ([key, value]) => !Object.hasOwn(node.labels, key) || node.labels[key] !== value,
    )
    if (missing.length === 0) return null
    const asked = missing.map(([key, value]) => `${key}=${value}`)
    const seen = missing.map(([key]) =>
      Object.hasOwn(node.labels, key) ? `${key}=${node.labels[key]}` : `no ${key}`,
    )
    return {
      check: 'labels',
      what: `${node.name} has ${seen.join(', ')}, and ${asked.join(', ')} is asked for`,
      unlockedBy: `nodes: { ${node.name}: { labels: { ${asked.join(', ').replaceAll('=', ': ')} } } }`,
    }
  },
}
