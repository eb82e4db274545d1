import type { Taint, Toleration } from '#core/deployment.ts'
import type { NodeCheck } from '#placement/planner/checks/check.ts'

/**
 * As in Kubernetes: `NoSchedule` keeps new replicas away and leaves those that run, `NoExecute` moves
 * them as well, `PreferNoSchedule` refuses nothing and is a rank.
 */
export const taints: NodeCheck = {
  name: 'taints',
  onRunning: (deployment, node) =>
    node.taints.some(
      (taint) =>
        taint.effect === 'NoExecute' && !isTolerated(taint, deployment.constraints.tolerations),
    )
      ? 'leaves'
      : 'stays',
  refuse(deployment, node) {
    const { tolerations } = deployment.constraints
    const missing = node.taints.filter(
      (taint) => taint.effect !== 'PreferNoSchedule' && !isTolerated(taint, tolerations),
    )
    if (missing.length === 0) return null
    const written = missing.map(taintText)
    return {
      check: 'taints',
      what: `${node.name} has the taint ${written.join(' and ')}, which is not tolerated`,
      unlockedBy: `tolerations: [${missing.map(tolerationText).join(', ')}]`,
    }
  },
}

export function isTolerated(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some(
    ({ key, value, effect }) =>
      key === taint.key &&
      (value === null || value === taint.value) &&
      (effect === null || effect === taint.effect),
  )
}

function taintText(taint: Taint): string {
  return `${tolerationText(taint)}:${taint.effect}`
}

function tolerationText({ key, value }: Taint): string {
  return value === null ? key : `${key}=${value}`
}
