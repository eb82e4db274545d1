/** Which engines could serve a model on a kind of device, and why the others could not. */

import type { Backend, OperatingSystem, Support, WeightsFormat } from '#core/engine-build.ts'
import type { Task } from '#core/task.ts'
import type { Engine } from '#engines/engine.ts'

export interface EngineNeed {
  readonly backend: Backend
  readonly format: WeightsFormat
  readonly task: Task
  readonly os: OperatingSystem
}

export interface EngineCandidate {
  readonly engine: Engine
  /** The builds of it that come into question; their versions and architectures are not looked at. */
  readonly supports: readonly Support[]
}

export interface EngineRefusal {
  readonly engine: Engine
  /** All that speaks against it, each a clause. */
  readonly reasons: readonly string[]
}

export interface EngineChoice {
  readonly candidates: readonly EngineCandidate[]
  readonly refused: readonly EngineRefusal[]
}

/** Every engine is in one of the two lists, in the order in which it was given. */
export function chooseEngines(engines: readonly Engine[], need: EngineNeed): EngineChoice {
  const candidates: EngineCandidate[] = []
  const refused: EngineRefusal[] = []
  for (const engine of engines) {
    const reasons = reasonsAgainst(engine, need)
    const supports = engine.supports.filter(
      ({ backend, os }) => backend === need.backend && os.includes(need.os),
    )
    if (reasons.length === 0) candidates.push({ engine, supports })
    else refused.push({ engine, reasons })
  }
  return { candidates, refused }
}

function reasonsAgainst(engine: Engine, need: EngineNeed): readonly string[] {
  if (engine.launch === null) return ['somebody else starts it']
  const { supports, weightsFormats, tasks } = engine
  const onBackend = supports.filter(({ backend }) => backend === need.backend)
  const onSystem = onBackend.filter(({ os }) => os.includes(need.os))
  const reasons: string[] = []
  if (onBackend.length === 0) {
    const known = [...new Set(supports.map(({ backend }) => backend))]
    reasons.push(`it runs on ${known.join(', ')}, not on ${need.backend}`)
  } else if (onSystem.length === 0) {
    const known = [...new Set(onBackend.flatMap(({ os }) => os))]
    reasons.push(`for ${need.backend} it runs on ${known.join(', ')}, not on ${need.os}`)
  }
  if (!weightsFormats.includes(need.format)) {
    reasons.push(`it reads ${weightsFormats.join(', ')}, not ${need.format}`)
  }
  if (tasks !== null && !tasks.includes(need.task)) reasons.push(`it has no ${need.task}`)
  return reasons
}
