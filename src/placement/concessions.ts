/** What its owner could allow a deployment to give up, in the words of motley.yaml, where that helps. */
import { kvCacheBytes, kvCacheTypesOn } from '#core/engine-memory.ts'
import { allowedKvCacheTypes } from '#placement/allowed-kv-cache-types.ts'
import type { FitQuestion } from '#placement/fit.ts'
import { kvCacheBlockers } from '#placement/fit-compatibility.ts'
import { doesFit, type FitTrial, tryFit } from '#placement/fit-trial.ts'
import { leastOffload } from '#placement/least-offload.ts'

/** `tried`: the smallest setting that was tried, which does not fit. */
export function concessions(question: FitQuestion, { setting }: FitTrial): readonly string[] {
  const { deployment, engine, backend } = question
  const again = { ...question, contextTokens: setting.contextTokens, slots: setting.slots }
  const allowed = allowedKvCacheTypes(deployment, engine, backend)
  const type = smallerTypes(question, setting.kvCacheType).find((kvCacheType) =>
    doesFit(tryFit({ ...again, kvCacheType, offload: null })),
  )
  const offloaded =
    deployment.offload === true
      ? null
      : leastOffload(question, (offload) =>
          tryFit({ ...again, kvCacheType: setting.kvCacheType, offload }),
        )
  return [
    ...(type === undefined ? [] : [`kvCacheTypes: [${[...allowed, type].join(', ')}]`]),
    ...(offloaded === null ? [] : ['offload: true']),
  ]
}

/** Types that the engine has there and the deployment does not allow, the one with most bits first. */
export function smallerTypes(
  question: FitQuestion,
  than: FitTrial['setting']['kvCacheType'],
): FitTrial['setting']['kvCacheType'][] {
  const { deployment, engine, backend } = question
  return kvCacheTypesOn(engine.memory, backend).filter(
    (type) =>
      kvCacheBytes[type] < kvCacheBytes[than] &&
      deployment.kvCacheTypes?.includes(type) !== true &&
      kvCacheBlockers(question, type).length === 0,
  )
}
