/** Targets that a plan cannot hold anybody to, in sentences: silence would pass for a promise. */
import type { Plan, PlanInput, PlannedReplica } from '#placement/plan.ts'
import { uncheckedTargets } from '#placement/planner/checks/targets.ts'

/** One for each deployment and node. */
export function targetProblems(
  { deployments, inventory }: PlanInput,
  { replicas }: Pick<Plan, 'replicas'>,
): readonly string[] {
  const nameOf = (id: string) => inventory.nodes.find((node) => node.id === id)?.name ?? id
  const texts = replicas.flatMap(({ deployment: name, setting, speed }) => {
    const deployment = deployments.find((one) => one.name === name)
    if (deployment === undefined) return []
    const unchecked = uncheckedTargets(deployment, speed, setting.slots)
    const where = `${deployment.model} is on ${nameOf(setting.node)}`
    return textsOf(name, unchecked, where, { setting, speed })
  })
  return [...new Set(texts)]
}

function textsOf(
  name: string,
  unchecked: readonly string[],
  where: string,
  { speed }: Pick<PlannedReplica, 'setting' | 'speed'>,
): string[] {
  const start = unchecked.includes('startMs')
    ? [
        `deployments.${name}.targets: startMs is not checked: nobody knows how long its weights take to arrive and to load`,
      ]
    : []
  const rates = unchecked.filter((target) => target !== 'startMs')
  if (rates.length === 0) return start
  const names = rates.join(' and ')
  const verb = rates.length === 1 ? 'is' : 'are'
  const known = speed.decodeTokensPerSecond === null ? 'fast' : 'fast at reading prompts'
  return [
    `deployments.${name}.targets: ${names} ${verb} not checked: nobody knows how ${known} ${where}; "motley benchmark" measures it once it runs there`,
    ...start,
  ]
}
