/** What would make a replica fit that does not, the smallest change first. */

import { memoryText } from '#core/memory-text.ts'
import type { SpeedReferences } from '#core/speed-references.ts'
import { smallerTypes } from '#placement/concessions.ts'
import type { FitQuestion } from '#placement/fit.ts'
import { fitSpeed } from '#placement/fit-speed.ts'
import { doesFit, type FitTrial, tryFit } from '#placement/fit-trial.ts'
import { largest, leastOffload } from '#placement/least-offload.ts'
import { countText } from '#placement/memory/count-text.ts'
import { contextTokensMin } from '#placement/settings-to-try.ts'

export function fitSuggestions(
  question: FitQuestion,
  tried: FitTrial,
  references: SpeedReferences,
): readonly string[] {
  return [
    ...lessContext(question, tried),
    ...fewerSlots(question, tried),
    ...smallerKv(question, tried),
    ...otherVariants(question, tried),
    ...otherDevices(question, tried),
    ...partOnHost(question, tried, references),
  ]
}

const contextStep = 1_024

function again(question: FitQuestion, { setting }: FitTrial, change: Partial<FitTrial['setting']>) {
  const { contextTokens, slots, kvCacheType, offload } = { ...setting, ...change }
  return tryFit({ ...question, contextTokens, slots, kvCacheType, offload })
}

function lessContext(question: FitQuestion, tried: FitTrial): readonly string[] {
  if (tried.memory.kvCacheTokens === null) return []
  const most = Math.floor(tried.setting.contextTokens / contextStep)
  const steps = largest(contextTokensMin / contextStep, most - 1, (step) =>
    doesFit(again(question, tried, { contextTokens: step * contextStep })),
  )
  if (steps === null) return []
  return [
    `${countText(steps * contextStep)} tokens of context instead of ${countText(tried.setting.contextTokens)}`,
  ]
}

function fewerSlots(question: FitQuestion, tried: FitTrial): readonly string[] {
  if (question.engine.memory.kind !== 'whole-context') return []
  const slots = largest(1, tried.setting.slots - 1, (count) =>
    doesFit(again(question, tried, { slots: count })),
  )
  return slots === null
    ? []
    : [
        `${slots === 1 ? '1 request' : `${slots} requests`} at a time instead of ${tried.setting.slots}`,
      ]
}

function smallerKv(question: FitQuestion, tried: FitTrial): readonly string[] {
  const best = tried.setting.kvCacheType
  const others = smallerTypes(question, best)
  const type = others.find((each) => doesFit(again(question, tried, { kvCacheType: each })))
  return type === undefined
    ? []
    : [`a KV cache in ${type} instead of ${best} (kvCacheTypes: [${best}, ${type}])`]
}

/** The one with the most bits a weight that fits; all others give up more. */
function otherVariants(question: FitQuestion, tried: FitTrial): readonly string[] {
  const { variants } = question.deployment
  const candidates = variants
    .filter(({ source, format, facts }) => {
      const isOther = source !== question.variant.source && facts !== null
      return isOther && question.engine.weightsFormats.includes(format)
    })
    .toSorted((a, b) => (b.facts?.bitsPerWeight ?? 0) - (a.facts?.bitsPerWeight ?? 0))
  for (const variant of candidates) {
    const trial = again({ ...question, variant }, tried, {})
    const small = doesFit(trial)
      ? trial
      : smallContexts(question)
          .map((contextTokens) =>
            again({ ...question, variant }, tried, { contextTokens, slots: fewSlots(question) }),
          )
          .find(doesFit)
    if (!small || variant.facts === null) continue
    const { quantization, bitsPerWeight } = variant.facts
    const less =
      small === trial ? '' : `, with ${countText(small.setting.contextTokens)} tokens of context`
    const poor = bitsPerWeight < poorBits ? '; below 3.5 bits answers get visibly worse' : ''
    return [
      `${quantization ?? variant.source}, of ${bitsPerWeight.toFixed(1)} bits a weight${less}${poor}`,
    ]
  }
  return []
}

const poorBits = 3.5

/** A question and its answer, and half of it: what is wanted where somebody has said so. */
function smallContexts({ deployment }: FitQuestion): readonly number[] {
  const { contextTokens } = deployment
  return contextTokens === null ? [2 * contextTokensMin, contextTokensMin] : [contextTokens]
}

function fewSlots({ deployment }: FitQuestion): number {
  return deployment.slots ?? 1
}

/** Of the same node: one of another kind, or several of this kind together. */
function otherDevices(question: FitQuestion, tried: FitTrial): readonly string[] {
  const { node, devices, engine } = question
  const [first] = devices
  const usable = node.devices.filter(({ device }) => device.schedulable)
  const seen = new Set<string>(devices.map(({ device }) => device.name))
  for (const other of usable) {
    if (seen.has(other.device.name) || other.device.vendor !== first?.device.vendor) continue
    seen.add(other.device.name)
    if (doesFit(again({ ...question, devices: [other] }, tried, {}))) {
      return [`${other.device.name} (${other.id}) on the same node`]
    }
  }
  const alike = usable.filter(({ device }) => device.name === first?.device.name)
  if (engine.spread === 'single') return []
  for (let count = devices.length + 1; count <= alike.length; count += 1) {
    if (doesFit(again({ ...question, devices: alike.slice(0, count) }, tried, {}))) {
      return [`${count} × ${first?.device.name} together`]
    }
  }
  return []
}

function partOnHost(
  question: FitQuestion,
  tried: FitTrial,
  references: SpeedReferences,
): readonly string[] {
  const [first] = question.devices
  // Where it is allowed, it was tried.
  if (first === undefined || question.deployment.offload === true) return []
  const [contextTokens = contextTokensMin] = smallContexts(question)
  const small = { contextTokens, slots: fewSlots(question) }
  const trial = leastOffload(question, (offload) => again(question, tried, { ...small, offload }))
  const offload = trial?.setting.offload ?? null
  if (trial === null || offload === null) return []
  const { decodeTokensPerSecond } = fitSpeed(question, trial, references)
  const digits = (decodeTokensPerSecond ?? 0) < 10 ? 1 : 0
  const rate =
    decodeTokensPerSecond === null
      ? ''
      : `: about ${decodeTokensPerSecond.toFixed(digits)} tokens/s`
  const allowing = ', with offload: true'
  const room = `(${memoryText(trial.memory.hostBytes)})${rate}`
  return [
    offload.expertLayersOnHost > 0
      ? `the experts of ${offload.expertLayersOnHost} of ${offload.layerCount} layers in the memory of the machine ${room}${allowing}`
      : `${offload.layerCount - offload.layersOnHost} of ${offload.layerCount} layers on ${first.device.name}, the others on the CPU ${room}${allowing}`,
  ]
}
