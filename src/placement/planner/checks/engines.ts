import type { WayCheck } from '#placement/planner/checks/check.ts'

/** The engines that the deployment and the variant allow. */
export const engines: WayCheck = {
  name: 'engines',
  onRunning: 'moves',
  refuse(deployment, { variant, engine }) {
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
    return null
  },
}
