import { blocks, either } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** How the weights lie on the disk. */
export const format: Check = {
  name: 'format',
  find({ engine, format: wanted }) {
    const { title, weightsFormats } = engine
    if (wanted === null || weightsFormats.includes(wanted)) return []
    const unlockedBy = `give it the model as ${either(weightsFormats)}`
    return [blocks('format-unsupported', `${title} does not read ${wanted}`, unlockedBy)]
  },
}
