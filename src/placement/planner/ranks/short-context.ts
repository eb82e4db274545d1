import type { Rank } from '#placement/planner/ranks/rank.ts'
import { contextOfUnknown, contextWorth } from '#placement/settings-to-try.ts'

/**
 * A question and its answer fit into half of the context that a conversation of some pages needs, and
 * into a quarter of it hardly that: each halving is worth what a much slower answer is.
 */
const secondsEachHalving = 2

/** A place with room for the weights and for little else. What a deployment asks for itself is enough. */
export const shortContext: Rank = {
  name: 'context',
  seconds({ deployment, variantIndex, fit }) {
    const { contextTokens } = fit.setting
    if (deployment.contextTokens !== null || contextTokens === 0) return 0
    const trained = deployment.variants[variantIndex]?.facts?.contextTokens ?? contextOfUnknown
    const enough = Math.min(contextWorth, trained)
    return Math.max(0, Math.log2(enough / contextTokens)) * secondsEachHalving
  },
}
