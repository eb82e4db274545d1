/** All rules of a fleet on one request: which endpoints may take it, and which had better. */
import {
  holds,
  lacks,
  type Rule,
  type RuleEndpoint,
  type RuleRequest,
} from '#routing/rules/rule.ts'

export interface RuleRefusal {
  readonly kind: 'rule'
  /** Which of `routing.rules`, from 1, as a person counts. */
  readonly rule: number
  /** What the endpoint lacks, in a clause. */
  readonly why: string
}

/** The rules that hold for one request: looked up once, and asked for each endpoint. */
export interface HeldRules {
  /** Which rules these are: the same for every request under the same ones. */
  readonly group: string
  refuse(endpoint: RuleEndpoint): RuleRefusal | null
  /** How much it is preferred: 0 is most, and counts the demands of `prefer` that it misses. */
  misses(endpoint: RuleEndpoint): number
}

/** Null when no rule holds for the request, which is when nothing has to be asked. */
export function rulesFor(rules: readonly Rule[], request: RuleRequest): HeldRules | null {
  const held = rules.flatMap((rule, index) => (holds(rule, request) ? [{ rule, index }] : []))
  if (held.length === 0) return null
  return {
    group: held.map(({ index }) => index + 1).join(','),
    refuse(endpoint) {
      for (const { rule, index } of held) {
        const why = rule.require === null ? null : lacks(rule.require, endpoint)
        if (why !== null) return { kind: 'rule', rule: index + 1, why }
      }
      return null
    },
    misses: (endpoint) =>
      held.filter(({ rule }) => rule.prefer !== null && lacks(rule.prefer, endpoint) !== null)
        .length,
  }
}
