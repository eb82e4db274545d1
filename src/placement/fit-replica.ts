/**
 * Whether one replica fits on devices that are given, in the largest setting that does: first
 * whether the engine runs there at all, then whether there is room, then how fast it will be.
 */

import { type KvCacheType, kvCacheTypesOn } from '#core/engine-memory.ts'
import type { SpeedReferences } from '#core/speed-references.ts'
import { concessions } from '#placement/concessions.ts'
import { contextBeyondTraining } from '#placement/context-beyond-training.ts'
import type { Blocker, Fit, FitQuestion, FitReplica } from '#placement/fit.ts'
import { blockersIn, compatibilityOf, kvCacheTypesThatRun } from '#placement/fit-compatibility.ts'
import { fitSpeed } from '#placement/fit-speed.ts'
import { fitSuggestions } from '#placement/fit-suggestions.ts'
import { doesFit, type FitTrial, tryFit } from '#placement/fit-trial.ts'
import { leastOffload } from '#placement/least-offload.ts'
import { countText } from '#placement/memory/count-text.ts'
import { offloadText } from '#placement/offload-text.ts'
import {
  offloadSettingsToTry,
  type RoomSetting,
  settingsToTry,
} from '#placement/settings-to-try.ts'

export function createFitReplica(references: SpeedReferences): FitReplica {
  return (question) => fitReplica(question, references)
}

function fitReplica(question: FitQuestion, references: SpeedReferences): Fit {
  const { variant } = question
  const { facts } = variant
  const compatibility = compatibilityOf(question, [])
  const blockers = blockersIn(compatibility)
  if (facts === null) {
    blockers.push({
      check: 'facts',
      what: `nobody has read the headers of ${variant.source}, so its size is not known`,
      unlockedBy: `a node that reaches it, or "motley model inspect ${variant.source}"`,
    })
    return { kind: 'no', blockers, memory: null, suggestions: [] }
  }
  blockers.push(...contextBlockers(question))
  const types = kvCacheTypesThatRun(question)
  if (types.kind === 'none') {
    const against = [...blockers, ...types.blockers]
    return { kind: 'no', blockers: against, memory: null, suggestions: [] }
  }
  const { found, last } = firstThatFits(question, types.without)
  if (found !== null) {
    if (blockers.length > 0) return { kind: 'no', blockers, memory: found.memory, suggestions: [] }
    const settings = compatibility.kind === 'runs' ? compatibility.settings : []
    const notes = compatibility.kind === 'runs' ? compatibility.notes : []
    return {
      kind: 'fits',
      setting: { ...found.setting, settings },
      memory: found.memory,
      speed: fitSpeed(question, found, references),
      notes: [
        ...notesOf(question, found),
        ...notes.filter(({ kind }) => kind === 'warning').map(({ what }) => what),
      ],
    }
  }
  if (last === null) {
    const against = blockers.length > 0 ? blockers : [hostBlocker(question)]
    return { kind: 'no', blockers: against, memory: null, suggestions: [] }
  }
  const { missing, memory } = last
  // What cannot run there at all is not to be made smaller.
  if (blockers.length > 0) {
    return { kind: 'no', blockers: [...blockers, ...missing], memory, suggestions: [] }
  }
  const conceding = concessions(question, last)
  return {
    kind: 'no',
    blockers: missing.map((blocker) => withConcessions(blocker, conceding)),
    memory,
    suggestions: question.suggests === true ? fitSuggestions(question, last, references) : [],
  }
}

/** Asked with a part of it on the CPU alone, nothing was tried with all of it on the devices. */
function hostBlocker({ limits, deployment }: FitQuestion): Blocker {
  const least = limits.hostLayersMin ?? 1
  const layers = least === 1 ? 'a layer' : `${least} layers`
  return deployment.offload === true
    ? {
        check: 'memory',
        what: `with ${layers} or more of it on the CPU, no setting fits`,
        unlockedBy: null,
      }
    : {
        check: 'memory',
        what: `${layers} of it would have to be on the CPU, which is not allowed`,
        unlockedBy: 'offload: true',
      }
}

function withConcessions(blocker: Blocker, conceding: readonly string[]): Blocker {
  const ways = [...(blocker.unlockedBy === null ? [] : [blocker.unlockedBy]), ...conceding]
  return ways.length === 0 ? blocker : { ...blocker, unlockedBy: ways.join(', or ') }
}

/** The best setting that fits; of those that do not, the last with the whole model on the devices. */
function firstThatFits(question: FitQuestion, without: ReadonlySet<KvCacheType>) {
  const runs = ({ kvCacheType }: RoomSetting) => kvCacheType === null || !without.has(kvCacheType)
  let last: FitTrial | null = null
  if (question.limits.hostLayersMin === null) {
    for (const setting of settingsToTry(question).filter(runs)) {
      const trial = tryFit({ ...question, ...setting, offload: null })
      last = trial
      if (trial === null) break
      if (doesFit(trial)) return { found: trial, last }
    }
  }
  if (question.deployment.offload !== true) return { found: null, last }
  for (const setting of offloadSettingsToTry(question).filter(runs)) {
    const found = leastOffload(question, (offload) => tryFit({ ...question, ...setting, offload }))
    if (found !== null) return { found, last }
  }
  return { found: null, last }
}

function contextBlockers({ deployment, variant, limits }: FitQuestion): readonly Blocker[] {
  const wanted = deployment.contextTokens
  if (wanted === null) return []
  const beyond = contextBeyondTraining(wanted, variant.facts?.contextTokens ?? null)
  if (beyond !== null) return [beyond]
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

function notesOf(
  { variant, deployment, engine, backend }: FitQuestion,
  { setting, memory }: FitTrial,
) {
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
  const [own] = kvCacheTypesOn(engine.memory, backend)
  if (own !== undefined && setting.kvCacheType !== own) {
    notes.push(`its KV cache is kept in ${setting.kvCacheType} and not in ${own}`)
  }
  if (setting.offload !== null) {
    notes.push(`${offloadText(setting.offload)} on the CPU, which is slow`)
  }
  return notes
}
