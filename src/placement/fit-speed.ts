/** How fast a setting that was tried will be. */

import type { SpeedReferences } from '#core/speed-references.ts'
import type { FitQuestion, SpeedEstimate } from '#placement/fit.ts'
import type { FitTrial } from '#placement/fit-trial.ts'
import { estimateSpeed } from '#placement/speed/estimate-speed.ts'

export function fitSpeed(
  question: FitQuestion,
  { facts, setting }: FitTrial,
  references: SpeedReferences,
): SpeedEstimate {
  const { engine, deployment, variant, backend, node, devices, speeds } = question
  const { tensorParallel, offload } = setting
  return estimateSpeed(
    {
      ...{ facts, backend, node, devices, tensorParallel, offload },
      model: deployment.model,
      source: variant.source,
      engine: engine.id,
      memory: engine.memory,
      measured: speeds,
    },
    references,
  )
}
