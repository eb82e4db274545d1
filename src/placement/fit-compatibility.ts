/** Whether the engine of a question runs on its devices, and with which numbers for its KV cache. */
import type { Capability, Compatibility } from '#core/compatibility.ts'
import { type KvCacheType, kvCacheTypesOn } from '#core/engine-memory.ts'
import { blockersOf, solveCompatibility } from '#placement/compatibility/solve-compatibility.ts'
import type { Blocker, FitQuestion } from '#placement/fit.ts'
import { kvCacheTypesOf } from '#placement/settings-to-try.ts'

export function compatibilityOf(
  question: FitQuestion,
  features: readonly Capability[],
): Compatibility {
  const { variant, engine, node, devices, backend, kind, deployment } = question
  return solveCompatibility({
    engine,
    backend,
    kind,
    node: { ...node, devices: node.devices.map(({ device }) => device) },
    devices: devices.map(({ device }) => device),
    format: variant.format,
    model: variant.facts,
    task: deployment.task,
    features,
    targets: deployment.targets,
  })
}

export function blockersIn(compatibility: Compatibility): Blocker[] {
  if (compatibility.kind === 'runs') return []
  const found = blockersOf(compatibility.findings)
  return found.map(({ check, code, what, unlockedBy, excess }) => ({
    ...{ check, code, what, unlockedBy },
    ...(excess === undefined ? {} : { excess: { of: check, ratio: excess } }),
  }))
}

/** Which of the allowed types have no kernels on these devices; `none` where that leaves nothing. */
export function kvCacheTypesThatRun(
  question: FitQuestion,
):
  | { readonly kind: 'some'; readonly without: ReadonlySet<KvCacheType> }
  | { readonly kind: 'none'; readonly blockers: readonly Blocker[] } {
  const { deployment, engine, backend } = question
  const known = kvCacheTypesOn(engine.memory, backend)
  const allowed = kvCacheTypesOf(question)
  if (known.length === 0) return { kind: 'some', without: new Set() }
  if (allowed.length === 0) {
    const what = `${engine.title} on ${backend} keeps the KV cache in ${known.join(', ')}, and ${(deployment.kvCacheTypes ?? []).join(', ')} is asked for`
    const unlockedBy = `kvCacheTypes with one of ${known.join(', ')}`
    return { kind: 'none', blockers: [{ check: 'kv-cache', what, unlockedBy }] }
  }
  const without = new Set<KvCacheType>()
  const blockers: Blocker[] = []
  for (const type of allowed) {
    const against = kvCacheBlockers(question, type)
    if (against.length > 0) without.add(type)
    blockers.push(...against)
  }
  return without.size < allowed.length ? { kind: 'some', without } : { kind: 'none', blockers }
}

/** Why the devices have no kernels for keys and values in such numbers; empty where they have. */
export function kvCacheBlockers(question: FitQuestion, type: KvCacheType): readonly Blocker[] {
  const capability = kvCacheCapability[type]
  if (capability === undefined) return []
  return blockersIn(compatibilityOf(question, [capability])).filter(
    ({ check }) => check === 'feature',
  )
}

/** What devices must have for numbers that not all of them have kernels for. */
const kvCacheCapability: Partial<Record<KvCacheType, Capability>> = { fp8: 'fp8-kv-cache' }
