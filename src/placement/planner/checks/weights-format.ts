import type { WayCheck } from '#placement/planner/checks/check.ts'

/** Whether the engine reads files of this kind at all. */
export const weightsFormat: WayCheck = {
  name: 'format',
  onRunning: 'moves',
  refuse: (_, { variant, engine }) =>
    engine.weightsFormats.includes(variant.format)
      ? null
      : {
          check: 'format',
          what: `${engine.id} does not read ${variant.format}`,
          unlockedBy: `a variant as ${engine.weightsFormats.join(' or ')}`,
        },
}
