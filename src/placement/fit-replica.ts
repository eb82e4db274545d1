/**
 * Whether one replica fits on devices that are given, in the largest setting that does: first
 * whether the engine runs there at all, then whether there is room, then how fast it will be.
 */

import type { SpeedReferences } from '#core/speed-references.ts'
import { blockersOf, solveCompatibility } from '#placement/compatibility/solve-compatibility.ts'
import type { Blocker, Fit, FitQuestion, FitReplica } from '#placement/fit.ts'
import { fitSpeed } from '#placement/fit-speed.ts'
import { fitSuggestions } from '#placement/fit-suggestions.ts'
import { type FitTrial, tryFit } from '#placement/fit-trial.ts'
import { countText } from '#placement/memory/byte-text.ts'

/**
 * The least context that is worth giving up slots for: a conversation of some pages. Below the least
 * one, a replica that fits is of no use.
 */
const contextWorthSlots = 8_192
const contextTokensMin = 2_048

export function createFitReplica(references: SpeedReferences): FitReplica {
  return (question) => fitReplica(question, references)
}

function fitReplica(question: FitQuestion, references: SpeedReferences): Fit {
  const { variant, engine, node, devices, backend, kind, deployment } = question
  const { facts } = variant
  const compatibility = solveCompatibility({
    engine,
    backend,
    kind,
    node: { ...node, devices: node.devices.map(({ device }) => device) },
    devices: devices.map(({ device }) => device),
    format: variant.format,
    model: facts,
    task: deployment.task,
    features: [],
    targets: deployment.targets,
  })
  const blockers: Blocker[] =
    compatibility.kind === 'blocked'
      ? blockersOf(compatibility.findings).map(({ check, code, what, unlockedBy }) => ({
          check,
          code,
          what,
          unlockedBy,
        }))
      : []
  if (facts === null) {
    blockers.push({
      check: 'facts',
      what: `nobody has read the headers of ${variant.source}, so its size is not known`,
      unlockedBy: `a node that reaches it, or "motley model inspect ${variant.source}"`,
    })
    return { kind: 'no', blockers, memory: null, suggestions: [] }
  }
  blockers.push(...contextBlockers(question))
  const trials = settingsToTry(question)
  let last: FitTrial | null = null
  for (const { contextTokens, slots } of trials) {
    const trial = tryFit({ ...question, contextTokens, slots, kvCacheType: null, offload: null })
    last = trial
    if (trial === null) break
    if (trial.missing.length > 0) continue
    if (blockers.length > 0) return { kind: 'no', blockers, memory: trial.memory, suggestions: [] }
    const settings = compatibility.kind === 'runs' ? compatibility.settings : []
    const notes = compatibility.kind === 'runs' ? compatibility.notes : []
    return {
      kind: 'fits',
      setting: { ...trial.setting, settings },
      memory: trial.memory,
      speed: fitSpeed(question, trial, references),
      notes: [
        ...notesOf(question, trial),
        ...notes.filter(({ kind }) => kind === 'warning').map(({ what }) => what),
      ],
    }
  }
  if (last === null) return { kind: 'no', blockers, memory: null, suggestions: [] }
  return {
    kind: 'no',
    blockers: [...blockers, ...last.missing],
    memory: last.memory,
    suggestions: blockers.length > 0 ? [] : fitSuggestions(question, last, references),
  }
}

function contextBlockers({ deployment, variant, limits }: FitQuestion): readonly Blocker[] {
  const wanted = deployment.contextTokens
  const trained = variant.facts?.contextTokens ?? null
  if (wanted === null) return []
  if (trained !== null && wanted > trained) {
    return [
      {
        check: 'context',
        what: `${countText(wanted)} tokens are wanted, and the model was trained for ${countText(trained)}`,
        unlockedBy: `contextTokens of at most ${countText(trained)}`,
      },
    ]
  }
  if (limits.contextTokens !== null && wanted > limits.contextTokens) {
    return [
      {
        check: 'context',
        what: `${countText(wanted)} tokens are wanted, and ${countText(limits.contextTokens)} are left for it here`,
        unlockedBy: null,
      },
    ]
  }
  return []
}

/** What is asked for; where it is left open, less and less of it. */
function settingsToTry(question: FitQuestion) {
  const { deployment, engine, limits, variant } = question
  const trained = variant.facts?.contextTokens ?? contextOfUnknown
  const most = Math.min(trained, limits.contextTokens ?? Number.POSITIVE_INFINITY)
  const contexts =
    deployment.contextTokens !== null
      ? [deployment.contextTokens]
      : [most, ...contextSteps.filter((step) => step < most)]
  const slotsMost = Math.max(
    1,
    Math.min(engine.memory.slotsUsual, limits.slots ?? Number.POSITIVE_INFINITY),
  )
  const slots =
    deployment.slots !== null
      ? [deployment.slots]
      : engine.memory.kind === 'whole-context'
        ? halvings(slotsMost)
        : [slotsMost]
  if (engine.memory.kind === 'weights-only') {
    const [contextTokens = most] = contexts
    return slots.slice(0, 1).map((count) => ({ contextTokens, slots: count }))
  }
  const worth = contexts.filter((tokens) => tokens >= Math.min(contextWorthSlots, contexts[0] ?? 0))
  const small = contexts.filter((tokens) => !worth.includes(tokens))
  const fewest = slots.slice(-1)
  return [
    ...slots.flatMap((count) => worth.map((contextTokens) => ({ contextTokens, slots: count }))),
    ...fewest.flatMap((count) => small.map((contextTokens) => ({ contextTokens, slots: count }))),
  ]
}

/** Where headers do not say how long a context the model was trained for. */
const contextOfUnknown = 4_096

const contextSteps = [
  131_072, 98_304, 65_536, 49_152, 32_768, 24_576, 16_384, 12_288, 8_192,
].concat(4_096, contextTokensMin)

function halvings(count: number): readonly number[] {
  return count <= 1 ? [1] : [count, ...halvings(Math.floor(count / 2))]
}

function notesOf({ variant, deployment }: FitQuestion, { setting, memory }: FitTrial) {
  const notes: string[] = []
  const trained = variant.facts?.contextTokens ?? null
  if (
    deployment.contextTokens === null &&
    trained !== null &&
    setting.contextTokens < trained &&
    memory.kvCacheTokens !== null
  ) {
    notes.push(
      `${countText(setting.contextTokens)} of the ${countText(trained)} tokens the model was trained for`,
    )
  }
  return notes
}
