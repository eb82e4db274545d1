import { capabilityFindings } from '#placement/compatibility/capability.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** What somebody has asked for beside what the weights ask: kernels of attention, and such. */
export const feature: Check = {
  name: 'feature',
  find: (question, build) =>
    build === null ? [] : question.features.flatMap((one) => capabilityFindings(question, one)),
}
