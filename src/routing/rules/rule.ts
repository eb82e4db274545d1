/**
 * A rule of `routing.rules`: for which requests it holds, what an endpoint must be to take them, and
 * what it had better be. All rules that hold count together.
 */

import type { EndpointFacts } from '#core/endpoint-facts.ts'
import type { Backend } from '#core/engine-build.ts'
import { memoryText } from '#core/memory-text.ts'
import type { Task } from '#core/task.ts'

/** As `>40B`: a whole number on one or both sides, which is itself outside. */
export interface NumberRange {
  readonly above: number | null
  readonly below: number | null
  /** As the user wrote it; `10B..40B` includes its ends, so that its numbers lie one further out. */
  readonly text: string
}

/** Null: does not matter. */
export interface RuleWhen {
  /** Parameters of the model. A model whose size nobody knows is in no range. */
  readonly modelSize: NumberRange | null
  /** Names, with `*` for any letters. */
  readonly models: readonly string[] | null
  readonly tasks: readonly Task[] | null
  /** Names of API keys. */
  readonly keys: readonly string[] | null
  readonly promptTokens: NumberRange | null
}

/** Null: does not matter. A fact that nobody knows fulfils no demand. */
export interface RuleDemand {
  readonly backends: readonly Backend[] | null
  readonly minVramBytes: number | null
  readonly nodes: readonly string[] | null
  readonly endpoints: readonly string[] | null
  readonly engines: readonly string[] | null
  readonly labels: Readonly<Record<string, string>> | null
}

export interface Rule {
  readonly when: RuleWhen
  readonly require: RuleDemand | null
  readonly prefer: RuleDemand | null
}

/** What rules look at in a request. */
export interface RuleRequest {
  readonly model: string
  readonly parameterCount: number | null
  readonly task: Task
  /** The name of the key it came with; null where there are no keys. */
  readonly key: string | null
  /** About how long its prompt is. */
  readonly promptTokens: number
}

export interface RuleEndpoint {
  readonly id: string
  readonly facts: EndpointFacts
}

export function holds({ when }: Rule, request: RuleRequest): boolean {
  return (
    isIn(when.modelSize, request.parameterCount) &&
    (when.models?.some((pattern) => fitsPattern(pattern, request.model)) ?? true) &&
    (when.tasks === null || isOf(when.tasks, request.task)) &&
    (when.keys === null || (request.key !== null && when.keys.includes(request.key))) &&
    isIn(when.promptTokens, request.promptTokens)
  )
}

/** The tokens of a message are counted of the same text: where that may not go, they are not counted. */
function isOf(tasks: readonly Task[], task: Task): boolean {
  return tasks.includes(task) || (task === 'count-tokens' && tasks.includes('messages'))
}

/** What an endpoint lacks, in a clause; null when it has all of it. */
export function lacks(demand: RuleDemand, { id, facts }: RuleEndpoint): string | null {
  const { backends, minVramBytes, nodes, endpoints, engines, labels } = demand
  if (endpoints !== null && !endpoints.includes(id)) return `is none of ${endpoints.join(', ')}`
  const named = [
    [backends, facts.backend, 'runs on'],
    [nodes, facts.node, 'is on'],
    [engines, facts.engine, 'is'],
  ] as const
  for (const [allowed, found, verb] of named) {
    if (allowed === null || allowed.some((name) => name === found)) continue
    return found === null
      ? `nobody knows what it ${verb}, and it must be ${allowed.join(' or ')}`
      : `${verb} ${found}, not ${allowed.join(' or ')}`
  }
  if (minVramBytes !== null && (facts.deviceMemoryBytes ?? -1) < minVramBytes) {
    const found = facts.deviceMemoryBytes
    return found === null
      ? `nobody knows its memory, and ${memoryText(minVramBytes)} are needed`
      : `has ${memoryText(found)} of memory, and ${memoryText(minVramBytes)} are needed`
  }
  for (const [name, value] of Object.entries(labels ?? {})) {
    const found = Object.hasOwn(facts.labels, name) ? facts.labels[name] : undefined
    if (found !== value) {
      return found === undefined
        ? `has no label ${name}=${value}`
        : `has ${name}=${found}, not ${value}`
    }
  }
  return null
}

function isIn(range: NumberRange | null, value: number | null): boolean {
  if (range === null) return true
  if (value === null) return false
  return (
    (range.above === null || value > range.above) && (range.below === null || value < range.below)
  )
}

function fitsPattern(pattern: string, text: string): boolean {
  const parts = pattern.split('*')
  if (parts.length === 1) return pattern === text
  const [first = ''] = parts
  const last = parts.at(-1) ?? ''
  if (!text.startsWith(first) || !text.endsWith(last)) return false
  if (text.length < first.length + last.length) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at)
    if (found === -1 || found + part.length > text.length - last.length) return false
    at = found + part.length
  }
  return true
}
