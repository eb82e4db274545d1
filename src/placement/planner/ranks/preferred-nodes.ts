import { isTolerated } from '#placement/planner/checks/taints.ts'
import type { NodeRank } from '#placement/planner/ranks/rank.ts'

/** `PreferNoSchedule` outweighs a slow answer, and gives way to having no other place. */
const secondsEach = 10

export const preferredNodes: NodeRank = {
  name: 'taint',
  seconds: (deployment, _, node) =>
    node.taints.filter(
      (taint) =>
        taint.effect === 'PreferNoSchedule' &&
        !isTolerated(taint, deployment.constraints.tolerations),
    ).length * secondsEach,
}
