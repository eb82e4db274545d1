import { expect, test } from 'vitest'
import type { FitReplica } from '#placement/fit.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import {
  deployment,
  evenFit,
  placementDevice,
  placementNode,
  planInput,
} from '#testing/placement-input.ts'

const set = { set: 'HSA_OVERRIDE_GFX_VERSION=10.3.0', why: 'it runs the code of a relative' }
const radeon = (name: string) => placementNode(name, [placementDevice('amd-0', 'amd', 12, 100)])

/** As {@link evenFit}, where ROCm runs with a setting alone and is ten times as fast with it. */
function fitWith(isRisky: boolean): FitReplica {
  return (question) => {
    const fit = evenFit(question)
    if (fit.kind === 'no' || question.backend !== 'rocm') return fit
    const settings = [isRisky ? { ...set, isRisky: true as const } : set]
    const { promptTokensPerSecond, decodeTokensPerSecond, ...speed } = fit.speed
    const faster = {
      ...speed,
      promptTokensPerSecond: promptTokensPerSecond === null ? null : promptTokensPerSecond * 10,
      decodeTokensPerSecond: decodeTokensPerSecond === null ? null : decodeTokensPerSecond * 10,
    }
    return { ...fit, setting: { ...fit.setting, settings }, speed: faster }
  }
}

const planned = (isRisky: boolean, backends: readonly ('rocm' | 'vulkan')[] | null = null) => {
  const chat = deployment('chat', 4, backends === null ? {} : { constraints: { backends } })
  const { replicas } = createPlanner(fitWith(isRisky))(planInput([radeon('drizzt')], [chat]))
  return replicas.map(({ setting }) => setting.backend)
}

test('a way that may hang is left for one that needs nothing, however much faster it were', () => {
  expect(planned(true)).toEqual(['vulkan'])
})

test('a setting without a risk does not outweigh its speed', () => {
  expect(planned(false)).toEqual(['rocm'])
})

test('a way that may hang is better than none', () => {
  expect(planned(true, ['rocm'])).toEqual(['rocm'])
})
