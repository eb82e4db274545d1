import type { WayCheck } from '#placement/planner/checks/check.ts'

/** The engines that the deployment and the variant allow, of those that are on the node. */
export const engines: WayCheck = {
  name: 'engines',
  onRunning: 'moves',
  refuse(deployment, { variant, engine }, node) {
    const refused = (what: string, unlockedBy: string) => ({ check: 'engines', what, unlockedBy })
    const allowed = deployment.constraints.engines
    if (allowed !== null && !allowed.includes(engine.id)) {
      return refused(
        `${engine.id} is not among ${allowed.join(', ')}`,
        `constraints.engines with ${engine.id}`,
      )
    }
    if (variant.engines !== null && !variant.engines.includes(engine.id)) {
      return refused(
        `${variant.source} is for ${variant.engines.join(', ')}`,
        `engines of that variant with ${engine.id}`,
      )
    }
    const installed = node.engines
    if (installed !== null && !installed.some((entry) => entry.engine === engine.id)) {
      return refused(`${engine.id} is not on ${node.name}`, `${engine.title} on ${node.name}`)
    }
    return null
  },
}
