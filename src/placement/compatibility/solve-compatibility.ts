/**
 * Whether an engine runs a model on some devices of a node: every check looks at every build that
 * comes into question, and all reasons are given, the most decisive first.
 */
import {
  type Compatibility,
  type CompatibilityCheck,
  type CompatibleWay,
  compatibilityChecks,
  type Finding,
} from '#core/compatibility.ts'
import type { Backend, LaunchKind, Support } from '#core/engine-build.ts'
import { backendsOf, buildsFor } from '#placement/compatibility/builds.ts'
import { architecture } from '#placement/compatibility/checks/architecture.ts'
import { backend } from '#placement/compatibility/checks/backend.ts'
import { containerRuntime } from '#placement/compatibility/checks/container-runtime.ts'
import { cpuFallback } from '#placement/compatibility/checks/cpu-fallback.ts'
import { cpuFeatures } from '#placement/compatibility/checks/cpu-features.ts'
import { driver } from '#placement/compatibility/checks/driver.ts'
import { feature } from '#placement/compatibility/checks/feature.ts'
import { format } from '#placement/compatibility/checks/format.ts'
import { installed } from '#placement/compatibility/checks/installed.ts'
import { interconnect } from '#placement/compatibility/checks/interconnect.ts'
import { latency } from '#placement/compatibility/checks/latency.ts'
import { os } from '#placement/compatibility/checks/os.ts'
import { quantization } from '#placement/compatibility/checks/quantization.ts'
import { runtimeLevel } from '#placement/compatibility/checks/runtime-level.ts'
import { spread } from '#placement/compatibility/checks/spread.ts'
import { task } from '#placement/compatibility/checks/task.ts'
import type { Check, CompatibilityQuestion } from '#placement/compatibility/question.ts'

const all: Readonly<Record<CompatibilityCheck, Check>> = {
  os,
  backend,
  architecture,
  format,
  quantization,
  feature,
  task,
  spread,
  interconnect,
  driver,
  'runtime-level': runtimeLevel,
  'cpu-features': cpuFeatures,
  'container-runtime': containerRuntime,
  installed,
  latency,
  'cpu-fallback': cpuFallback,
}

export function solveCompatibility(question: CompatibilityQuestion): Compatibility {
  const builds = buildsFor(question)
  const tried = builds.map((build) => ({ build, findings: findingsOf(question, build) }))
  const running = tried.find(({ findings }) => blockersOf(findings).length === 0)
  if (running !== undefined) {
    const { build, findings } = running
    const settings = findings.flatMap(({ setting }) => setting ?? [])
    return { kind: 'runs', build, settings, notes: findings.filter(({ setting }) => !setting) }
  }
  // Of builds that all are refused, the one that lacks least says best what to do.
  const [closest] = tried.toSorted(
    (one, other) => blockersOf(one.findings).length - blockersOf(other.findings).length,
  )
  const findings = closest?.findings ?? findingsOf(question, null)
  return {
    kind: 'blocked',
    findings: [...blockersOf(findings), ...findings.filter(({ kind }) => kind !== 'blocks')],
  }
}

export function blockersOf(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ kind }) => kind === 'blocks')
}

function findingsOf(question: CompatibilityQuestion, build: Support | null): readonly Finding[] {
  return compatibilityChecks.flatMap((name) =>
    all[name].find(question, build).map((found) => ({ check: name, ...found })),
  )
}

/**
 * Every way to start the engine on these devices, those that need no setting first, then in the order of
 * its builds; where there is no way, the one that would be taken, with what speaks against it.
 */
export function compatibleWays(
  question: Omit<CompatibilityQuestion, 'backend' | 'kind'>,
): readonly CompatibleWay[] {
  const reachable = backendsOf(question.devices)
  const kept = new Map<string, readonly [Backend, LaunchKind]>()
  for (const wanted of reachable) {
    for (const build of question.engine.supports.filter((one) => one.backend === wanted)) {
      for (const kind of build.kinds) kept.set(`${wanted} ${kind}`, [wanted, kind])
    }
  }
  const [first] = reachable
  if (kept.size === 0 && first !== undefined) kept.set(first, [first, 'native'])
  const ways = [...kept.values()].map(([wanted, kind]) => ({
    backend: wanted,
    kind,
    compatibility: solveCompatibility({ ...question, backend: wanted, kind }),
  }))
  return ways.toSorted((one, other) => obstacles(one) - obstacles(other))
}

/** A setting may hang a device, where another build needs none. */
function obstacles({ compatibility }: CompatibleWay): number {
  if (compatibility.kind === 'blocked') return 2
  return compatibility.settings.length > 0 ? 1 : 0
}
