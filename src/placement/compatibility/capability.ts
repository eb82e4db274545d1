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
    if (unknown) {
      const what = `too little is known of ${device.name} to say how well it does ${title}`
      return [unverified(what)]
    }
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
        : [needsSetting('kernel-setting', `${title} does not run as it is`, rule.setting)]),
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

/** The first rule that matches; or whether a fact decides that nobody knows. */
function ruleFor(
  rules: readonly CapabilityRule[],
  { architecture, features }: Device,
): readonly [CapabilityRule | undefined, boolean] {
  for (const rule of rules) {
    const fit = architectureFit(rule.architectures, architecture).kind
    if (fit === 'unknown') return [undefined, true]
    if (fit !== 'runs') continue
    if (rule.cpuFeatures === undefined) return [rule, false]
    // Every CPU has some: without any, nobody has looked.
    if (features.length === 0) return [undefined, true]
    if (rule.cpuFeatures.some((one) => features.includes(one))) return [rule, false]
  }
  return [undefined, false]
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
