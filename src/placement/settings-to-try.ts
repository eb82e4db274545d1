/**
 * Settings of a replica from the best to the least that is of use: what is asked for, and where that
 * is left open, less and less. What answers lose by comes late: fewer requests at a time first, then
 * a shorter context, then fewer bits for keys and values, then layers on the CPU.
 */
import type { KvCacheType } from '#core/engine-memory.ts'
import { allowedKvCacheTypes } from '#placement/allowed-kv-cache-types.ts'
import type { FitQuestion } from '#placement/fit.ts'

export interface RoomSetting {
  readonly contextTokens: number
  readonly slots: number
  /** Null where the engine keeps no tokens. */
  readonly kvCacheType: KvCacheType | null
}

/**
 * The least context that is worth giving up slots and bits for: a conversation of some pages. Below
 * the least one, a replica that fits is of no use.
 */
export const contextWorth = 8_192
export const contextTokensMin = 2_048

/** Where headers do not say how long a context the model was trained for. */
export const contextOfUnknown = 4_096

const contextSteps = [
  131_072, 98_304, 65_536, 49_152, 32_768, 24_576, 16_384, 12_288, 8_192,
].concat(4_096, contextTokensMin)

/** With the whole model on its devices. */
export function settingsToTry(question: FitQuestion): readonly RoomSetting[] {
  const contexts = contextsOf(question)
  const [most = contextTokensMin] = contexts
  const slots = slotsOf(question)
  const { memory } = question.engine
  if (memory.kind === 'weights-only') {
    const [count = 1] = slots
    return [{ contextTokens: most, slots: count, kvCacheType: null }]
  }
  const types = kvCacheTypesOf(question)
  const worth = contexts.filter((tokens) => tokens >= Math.min(contextWorth, most))
  const small = contexts.filter((tokens) => !worth.includes(tokens))
  const inOrder = (contextsTried: readonly number[], slotsTried: readonly number[]) =>
    types.flatMap((kvCacheType) =>
      slotsTried.flatMap((count) =>
        contextsTried.map((contextTokens) => ({ contextTokens, slots: count, kvCacheType })),
      ),
    )
  return [...inOrder(worth, slots), ...inOrder(small, slots.slice(-1))]
}

/** With a part of the model on the CPU, which is slow enough for one request at a time. */
export function offloadSettingsToTry(question: FitQuestion): readonly RoomSetting[] {
  const { deployment } = question
  const contexts = contextsOf(question).filter(
    (tokens) => deployment.contextTokens !== null || tokens <= contextWorth,
  )
  return contexts.flatMap((contextTokens) =>
    kvCacheTypesOf(question).map((kvCacheType) => ({
      contextTokens,
      slots: deployment.slots ?? 1,
      kvCacheType,
    })),
  )
}

/** Those that the deployment allows, from the one on that is the limit. */
export function kvCacheTypesOf({ deployment, engine, backend, limits }: FitQuestion) {
  const allowed = allowedKvCacheTypes(deployment, engine, backend)
  if (limits.kvCacheType === null) return allowed
  const from = allowed.indexOf(limits.kvCacheType)
  return from < 0 ? [] : allowed.slice(from)
}

function contextsOf({ deployment, variant, limits }: FitQuestion): readonly number[] {
  if (deployment.contextTokens !== null) return [deployment.contextTokens]
  const trained = variant.facts?.contextTokens ?? contextOfUnknown
  const most = Math.min(trained, limits.contextTokens ?? Number.POSITIVE_INFINITY)
  return [most, ...contextSteps.filter((step) => step < most)]
}

function slotsOf({ deployment, engine, limits }: FitQuestion): readonly number[] {
  if (deployment.slots !== null) return [deployment.slots]
  const most = Math.min(engine.memory.slotsUsual, limits.slots ?? Number.POSITIVE_INFINITY)
  return engine.memory.kind === 'whole-context' ? halvings(Math.max(1, most)) : [Math.max(1, most)]
}

function halvings(count: number): readonly number[] {
  return count <= 1 ? [1] : [count, ...halvings(Math.floor(count / 2))]
}
