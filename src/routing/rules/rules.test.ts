import { expect, test } from 'vitest'
import type { EndpointFacts } from '#core/endpoint-facts.ts'
import type { Task } from '#core/task.ts'
import { rulesFor } from '#routing/rules/apply-rules.ts'
import {
  lacks,
  type Rule,
  type RuleDemand,
  type RuleRequest,
  type RuleWhen,
} from '#routing/rules/rule.ts'

const gibibyte = 2 ** 30

const anyRequest: RuleWhen = {
  modelSize: null,
  models: null,
  tasks: null,
  keys: null,
  promptTokens: null,
}
const nothing: RuleDemand = {
  backends: null,
  minVramBytes: null,
  nodes: null,
  endpoints: null,
  engines: null,
  labels: null,
}

function rule(part: {
  when?: Partial<RuleWhen>
  require?: Partial<RuleDemand>
  prefer?: Partial<RuleDemand>
}): Rule {
  return {
    when: { ...anyRequest, ...part.when },
    require: part.require === undefined ? null : { ...nothing, ...part.require },
    prefer: part.prefer === undefined ? null : { ...nothing, ...part.prefer },
  }
}

function request(part: Partial<RuleRequest> = {}): RuleRequest {
  return {
    model: 'llama-3.1-70b',
    parameterCount: 70e9,
    task: 'chat',
    key: 'app',
    promptTokens: 500,
    ...part,
  }
}

function endpoint(id: string, part: Partial<EndpointFacts> = {}) {
  const facts = {
    backend: null,
    deviceMemoryBytes: null,
    node: null,
    engine: null,
    labels: {},
    ...part,
  }
  return { id, facts }
}

/** The desk: large models on CUDA with 40 GB, small ones where there are 8. */
const desk: readonly Rule[] = [
  rule({
    when: { modelSize: { above: 40e9, below: null, text: '>40B' } },
    require: { minVramBytes: 40 * gibibyte },
    prefer: { backends: ['cuda'] },
  }),
  rule({
    when: { modelSize: { above: null, below: 10e9, text: '<10B' } },
    require: { minVramBytes: 8 * gibibyte },
    prefer: { backends: ['metal', 'cuda', 'rocm'] },
  }),
]
const gaming = endpoint('gaming', { backend: 'cuda', deviceMemoryBytes: 24 * gibibyte })
const studio = endpoint('studio', { backend: 'metal', deviceMemoryBytes: 96 * gibibyte })
const rack = endpoint('rack', { backend: 'cuda', deviceMemoryBytes: 80 * gibibyte })
const laptop = endpoint('laptop', { backend: 'cpu', deviceMemoryBytes: 16 * gibibyte })

test('a 70B model is refused by a device of 24 GiB, and prefers CUDA among those that may', () => {
  const held = rulesFor(desk, request())
  expect(held?.refuse(gaming)).toEqual({
    kind: 'rule',
    rule: 1,
    why: 'has 24 GiB of memory, and 40 GiB are needed',
  })
  expect([rack, studio].map((one) => [held?.refuse(one), held?.misses(one)])).toEqual([
    [null, 0],
    [null, 1],
  ])
})

test('an 8B model may go to any GPU of 8 GiB, and goes to a CPU after those', () => {
  const held = rulesFor(desk, request({ model: 'llama-3.1-8b', parameterCount: 8e9 }))
  expect([gaming, studio, laptop].map((one) => held?.misses(one))).toEqual([0, 0, 1])
  expect(held?.refuse(laptop)).toBeNull()
})

test('a model between the two, and one whose size nobody knows, is under no rule', () => {
  expect(rulesFor(desk, request({ parameterCount: 24e9 }))).toBeNull()
  expect(rulesFor(desk, request({ parameterCount: null }))).toBeNull()
})

test('what is private stays where the label says so', () => {
  const inHouse = [rule({ when: { keys: ['hr'] }, require: { labels: { privacy: 'in-house' } } })]
  const held = rulesFor(inHouse, request({ key: 'hr' }))
  expect(held?.refuse(endpoint('own', { labels: { privacy: 'in-house' } }))).toBeNull()
  expect(held?.refuse(endpoint('cloud', { labels: { privacy: 'outside' } }))?.why).toBe(
    'has privacy=outside, not in-house',
  )
  expect(held?.refuse(endpoint('unknown'))?.why).toBe('has no label privacy=in-house')
  expect(rulesFor(inHouse, request({ key: 'app' }))).toBeNull()
  expect(rulesFor(inHouse, request({ key: null }))).toBeNull()
})

test.each([
  {
    demand: { backends: ['cuda', 'rocm'] as const },
    why: 'nobody knows what it runs on, and it must be cuda or rocm',
  },
  { demand: { minVramBytes: 8 * gibibyte }, why: 'nobody knows its memory, and 8 GiB are needed' },
  { demand: { nodes: ['khelben'] }, why: 'nobody knows what it is on, and it must be khelben' },
  { demand: { endpoints: ['rtx'] }, why: 'is none of rtx' },
  { demand: {}, why: null },
])('an endpoint nobody knows anything of: $why', ({ demand, why }) => {
  expect(lacks({ ...nothing, ...demand }, endpoint('plain'))).toBe(why)
})

test.each([
  { pattern: 'llama-*', model: 'llama-3.1-70b', holds: true },
  { pattern: '*70b', model: 'llama-3.1-70b', holds: true },
  { pattern: 'llama-*-70b', model: 'llama-3.1-70b', holds: true },
  { pattern: 'l*3*7*b', model: 'llama-3.1-70b', holds: true },
  { pattern: 'llama', model: 'llama-3.1-70b', holds: false },
  { pattern: '*8b', model: 'llama-3.1-70b', holds: false },
  { pattern: 'ab*ba', model: 'aba', holds: false },
  { pattern: '*', model: 'anything', holds: true },
])('the name $model under the pattern $pattern: $holds', ({ pattern, model, holds }) => {
  const rules = [rule({ when: { models: [pattern] } })]
  expect(rulesFor(rules, request({ model })) !== null).toBe(holds)
})

test('long prompts of one task can have a rule of their own', () => {
  const long = { above: 8_000, below: null, text: '>8000' }
  const rules = [rule({ when: { promptTokens: long, tasks: ['chat'] } })]
  const isHeld = (part: Partial<RuleRequest>) => rulesFor(rules, request(part)) !== null
  expect(isHeld({ promptTokens: 8_001 })).toBe(true)
  expect(isHeld({ promptTokens: 8_000 })).toBe(false)
  expect(isHeld({ promptTokens: 9_000, task: 'embedding' })).toBe(false)
})

test('a rule for messages keeps their text from being counted elsewhere', () => {
  const holding = (...tasks: Task[]) => [rule({ when: { tasks } })]
  const isHeld = (rules: Rule[], task: Task) => rulesFor(rules, request({ task })) !== null
  expect(isHeld(holding('messages'), 'count-tokens')).toBe(true)
  expect(isHeld(holding('chat'), 'count-tokens')).toBe(false)
  expect(isHeld(holding('count-tokens'), 'messages')).toBe(false)
})
