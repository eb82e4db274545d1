/** Whether an engine has a capability on some devices. */
import type { Capability, CapabilityFacts, CapabilityRule } from '#core/compatibility.ts'
import type { Device } from '#core/device.ts'
import { type ArchitectureRule, architectureFit } from '#core/engine-build.ts'
import {
  blocks,
  either,
  needsSetting,
  ofEach,
  unverified,
  warns,
} from '#placement/compatibility/finding.ts'
import type { CompatibilityQuestion, Found } from '#placement/compatibility/question.ts'

export function capabilityFindings(
  { engine, backend, devices }: CompatibilityQuestion,
  capability: Capability,
): readonly Found[] {
  const facts = engine.capabilities.find((one) => one.capability === capability)
  if (facts === undefined) {
    return [unverified(`nobody has looked into ${capability} with ${engine.title}`)]
  }
  const rules = facts.rules.filter((rule) => rule.backend === backend)
  const { title, instead } = facts
  if (rules.length === 0) {
    return [blocks('kernel-mismatch', missing(engine.title, facts, backend), instead)]
  }
  return ofEach(devices, (device) => {
    const [rule, unknown] = ruleFor(rules, device)
    if (unknown)
      return [unverified(`${title} needs ${needs(rules)}: nobody knows what ${device.name} is`)]
    if (rule === undefined) {
      const on = device.architecture ?? device.name
      return [
        blocks(
          'kernel-mismatch',
          `${engine.title} has no kernels for ${title} on ${on}: it needs ${needs(rules)}`,
          instead,
        ),
      ]
    }
    return [
      ...(rule.setting === undefined
        ? []
        : [needsSetting('kernel-degraded', `${title} does not run as it is`, rule.setting)]),
      ...(rule.worse === undefined ? [] : [warns('kernel-degraded', `${title}: ${rule.worse}`)]),
    ]
  })
}

function missing(engine: string, { title, rules }: CapabilityFacts, backend: string): string {
  const known = [...new Set(rules.map((rule) => rule.backend))]
  return known.length === 0
    ? `${engine} does not read ${title}`
    : `${engine} has kernels for ${title} on ${known.join(', ')}, and none on ${backend}`
}

/** The first rule that matches; whether a fact that is unknown decides, where none does. */
function ruleFor(
  rules: readonly CapabilityRule[],
  { architecture, features }: Device,
): readonly [CapabilityRule | undefined, boolean] {
  const found = rules.find(
    (rule) =>
      architectureFit(rule.architectures, architecture).kind === 'runs' &&
      (rule.cpuFeatures?.some((one) => features.includes(one)) ?? true),
  )
  if (found !== undefined) return [found, false]
  const unknown = rules.some(
    (rule) =>
      architectureFit(rule.architectures, architecture).kind === 'unknown' ||
      (rule.cpuFeatures !== undefined && features.length === 0),
  )
  return [undefined, unknown]
}

/** `sm_80 to sm_88 or sm_89 and newer` is `sm_80 and newer`: the oldest says enough. */
function needs(rules: readonly CapabilityRule[]): string {
  return either(mergedRanges(rules.map(({ architectures }) => architectures)).map(words))
}

function mergedRanges(rules: readonly ArchitectureRule[]): readonly ArchitectureRule[] {
  const ranges = rules.filter((rule) => rule.kind === 'range')
  const [first] = ranges
  if (first === undefined || ranges.some(({ prefix }) => prefix !== first.prefix)) return rules
  const open = ranges.some(({ max }) => max === undefined)
  const max = Math.max(...ranges.map((range) => range.max ?? 0))
  const min = Math.min(...ranges.map((range) => range.min))
  const merged = { kind: 'range' as const, prefix: first.prefix, min, ...(open ? {} : { max }) }
  return [merged, ...rules.filter((rule) => rule.kind !== 'range')]
}

function words(rule: ArchitectureRule): string {
  switch (rule.kind) {
    case 'any':
      return 'any'
    case 'names':
      return either(rule.names)
    case 'range': {
      const { prefix, min, max } = rule
      if (max === undefined) return `${prefix}${min} and newer`
      return max === min ? `${prefix}${min}` : `${prefix}${min} to ${prefix}${max}`
    }
  }
}
