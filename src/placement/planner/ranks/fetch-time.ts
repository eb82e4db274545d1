import type { NodeRank } from '#placement/planner/ranks/rank.ts'

/**
 * Weights are fetched once and answered from for days. A fiftieth lets 10 GB over a line of 1 Gbit/s
 * (80 s) weigh as much as an answer that is slower by 1.6 s.
 */
const share = 1 / 50

/** Where nobody has measured: 1 Gbit/s. */
const bytesPerSecondUsual = 125e6

/** The seconds that bytes need which are not on the node yet. */
export const fetchTime: NodeRank = {
  name: 'fetch',
  seconds(deployment, variantIndex, node) {
    const variant = deployment.variants[variantIndex]
    const bytes = variant?.facts?.tensorBytes ?? 0
    if (variant === undefined || bytes === 0 || node.weights.includes(variant.source)) return 0
    return (bytes / (node.networkBytesPerSecond ?? bytesPerSecondUsual)) * share
  },
}
