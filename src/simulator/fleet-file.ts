import { isNode, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import type { Basis, DeviceModel } from '#batching/device-model.ts'
import { deviceModels } from '#batching/device-models.ts'
import type { EngineBehaviour } from '#batching/policies/behaviour.ts'
import { type StepTimeParameters, scaledLinear } from '#batching/step-time.ts'
import { allowedBy, valueAt } from '#std/zod-issue.ts'

/** One endpoint of a fleet on paper: what it serves, and how fast its engine is. */
export interface FleetEndpoint {
  readonly name: string
  readonly device: string
  readonly basis: Basis | 'user'
  /** The models it serves; null for any. */
  readonly models: readonly string[] | null
  readonly stepTime: StepTimeParameters
  readonly behaviour: EngineBehaviour
  readonly seats: number
  readonly batchTokens: number
  readonly kvTokens: number
}

/** A fleet file is not what can be read. The message says where, what was found, what is allowed. */
export class FleetFileError extends Error {}

/** From far below what any device does to far above: beyond, a solver has no digits left. */
const stepMs = z.number().min(0.001).max(1e6)
const factor = z.number().min(0.001).max(1_000)

/** Every one of them is simulated, and a slip of the finger should not fill the memory. */
const countMax = 10_000

const notNegative = z.number().min(0)
const whole = z.number().int().min(1)

const stepTime = z.strictObject({
  overheadMs: notNegative.optional(),
  headMs: notNegative.optional(),
  /** Ascending [tokens, ms]: what the weights cost for so many tokens in a step. */
  linear: z
    .array(z.tuple([whole, stepMs]))
    .min(2)
    .refine((points) => points.every(([tokens], at) => at === 0 || tokens > points[at - 1]![0]), {
      error: 'pairs of [tokens, ms] with more tokens in each',
    })
    // Beyond the last it goes on at that slope, below zero if it fell.
    .refine((points) => (points.at(-2)?.[1] ?? 0) <= (points.at(-1)?.[1] ?? 0), {
      error: 'pairs of [tokens, ms] of which the last takes no less than the one before',
    }),
  decodeMsPerContextToken: notNegative,
  prefillMsPerTokenPair: notNegative,
})

const engines = ['vllm', 'sglang', 'llama-server'] as const

const entry = z.strictObject({
  name: z.string().min(1),
  device: z.string().min(1),
  /** Without it, the engine that the device's figures are of. */
  engine: z.enum(engines).optional(),
  models: z.array(z.string().min(1)).min(1).optional(),
  /** How many of it; the others are named name-2, name-3. */
  count: whole.max(countMax).optional(),
  slots: whole.optional(),
  kvTokens: whole.optional(),
  batchTokens: whole.optional(),
  /**
   * How many times as long as with an 8B model its steps take, for a larger or smaller one: the
   * ratio of what is read and computed for each token.
   */
  stepFactor: factor.optional(),
  /** Where the device is not one of the known ones, or its figures are known better. */
  stepTime: stepTime.optional(),
})

const fleet = z.strictObject({ endpoints: z.array(entry).min(1) })

/** Reads a fleet from YAML; `source` is what to call it in errors. Throws {@link FleetFileError}. */
export function parseFleetFile(text: string, source: string): readonly FleetEndpoint[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [broken] = document.errors
  if (broken !== undefined) {
    const { line } = lines.linePos(broken.pos[0])
    throw new FleetFileError(`${source}:${line}: not YAML: ${broken.message.split('\n', 1)[0]}`)
  }
  const fail = (path: readonly PropertyKey[], problem: string): never => {
    // A key that is missing is told of where it should stand.
    for (let length = path.length; ; length -= 1) {
      const node = document.getIn(path.slice(0, length), true)
      const at = isNode(node) ? node.range?.[0] : undefined
      if (at === undefined && length > 0) continue
      const key = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
      const name = key.join('').replace(/^\./, '')
      throw new FleetFileError(
        `${source}:${lines.linePos(at ?? 0).line}: ${name === '' ? '' : `${name}: `}${problem}`,
      )
    }
  }
  const found: unknown = document.toJS()
  const parsed = fleet.safeParse(found)
  if (!parsed.success) {
    // Before what is missing: a slip in a key is both, and an emulated fleet has another one.
    const { issues } = parsed.error
    const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
    return fail(issue?.path ?? [], issue === undefined ? 'not a fleet' : problemOf(issue, found))
  }
  const endpoints: FleetEndpoint[] = []
  const names = new Set<string>()
  for (const [index, one] of parsed.data.endpoints.entries()) {
    if (!isKnown(one.device) && one.stepTime === undefined) {
      const known = Object.keys(deviceModels).join(', ')
      fail(
        ['endpoints', index, 'device'],
        `found ${one.device} without a stepTime, allowed: ${known}, or any with one`,
      )
    }
    for (const endpoint of expand(one)) {
      const { name } = endpoint
      if (names.has(name)) {
        fail(['endpoints', index, 'name'], `found ${name} twice, allowed: a name for one`)
      }
      names.add(name)
      endpoints.push(endpoint)
    }
  }
  return endpoints
}

const isKnown = (device: string): device is keyof typeof deviceModels =>
  Object.hasOwn(deviceModels, device)

/** What to reckon with where a device is not known and the file does not say. */
export const unknownDevice = { seats: 16, batchTokens: 2048, kvTokens: 65_536 }

function expand(one: z.infer<typeof entry>): FleetEndpoint[] {
  const known: DeviceModel | null = isKnown(one.device) ? deviceModels[one.device] : null
  const base = known ?? unknownDevice
  const factor = one.stepFactor ?? 1
  const time = one.stepTime === undefined ? known!.stepTime : timeOf(one.stepTime)
  const batchTokens = one.batchTokens ?? base.batchTokens
  const engine = one.engine ?? known?.engine ?? 'vllm'
  const shared = {
    device: one.device,
    basis: one.stepTime === undefined ? known!.basis : 'user',
    models: one.models ?? null,
    stepTime: factor === 1 ? time : scaled(time, factor),
    behaviour: behaviourOf(engine, batchTokens),
    seats: one.slots ?? base.seats,
    batchTokens,
    kvTokens: one.kvTokens ?? base.kvTokens,
  } as const
  return Array.from({ length: one.count ?? 1 }, (_, copy) => ({
    ...shared,
    name: copy === 0 ? one.name : `${one.name}-${copy + 1}`,
  }))
}

/**
 * llama-server shares one cache among its slots in a fleet, since a part of it would be too short
 * for the prompts of most traces. When that runs out it would fail all that run; here the newest
 * gives way, so that policies are compared by time and not by how often they break an engine.
 */
function behaviourOf(engine: (typeof engines)[number], batchTokens: number): EngineBehaviour {
  return engine === 'llama-server'
    ? { kind: engine, batchTokens, unifiedKv: true, whenFull: 'recompute' }
    : { kind: engine, batchTokens }
}

function timeOf(given: z.infer<typeof stepTime>): StepTimeParameters {
  return {
    overheadMs: given.overheadMs ?? 0,
    headMs: given.headMs ?? 0,
    linear: { kind: 'table', points: given.linear },
    decodeMs: 0,
    decodeMsPerContextToken: given.decodeMsPerContextToken,
    prefillMs: 0,
    prefillMsPerTokenPair: given.prefillMsPerTokenPair,
  }
}

/** Steps of a model so many times as large; what the host takes between them stays the same. */
function scaled(time: StepTimeParameters, factor: number): StepTimeParameters {
  return {
    ...time,
    headMs: time.headMs * factor,
    linear: scaledLinear(time.linear, factor),
    decodeMsPerContextToken: time.decodeMsPerContextToken * factor,
    prefillMsPerTokenPair: time.prefillMsPerTokenPair * factor,
  }
}

function problemOf(issue: z.core.$ZodIssue, root: unknown): string {
  if (issue.code === 'unrecognized_keys') {
    const shape =
      issue.path.length === 0 ? fleet : issue.path.includes('stepTime') ? stepTime : entry
    return `found the key ${issue.keys.join(', ')}, allowed: ${Object.keys(shape.shape).join(', ')}`
  }
  const value = valueAt(root, issue.path)
  return `found ${value === undefined ? 'nothing' : JSON.stringify(value)}, allowed: ${allowedBy(issue)}`
}
