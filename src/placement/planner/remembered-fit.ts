/**
 * Fit, asked once for each different question. A plan asks the same in several passes, and plans of
 * a fleet that hardly changes ask the same again and again.
 */
import type { Fit, FitQuestion, FitReplica } from '#placement/fit.ts'

/** Some hundred bytes each: a fleet of thousands of nodes asks ten thousand different ones. */
const rememberedMax = 50_000

/** `machineKey`: stands for everything of the node that fit may look at. */
export type RememberedFit = (question: FitQuestion, machineKey: string) => Fit

export function rememberedFit(fitReplica: FitReplica): RememberedFit {
  const machines = new Map<string, number>()
  const fits = new Map<string, Fit>()
  return (question, machineKey) => {
    let machine = machines.get(machineKey)
    if (machine === undefined) {
      machine = machines.size
      machines.set(machineKey, machine)
    }
    const key = `${machine} ${questionKey(question)}`
    const known = fits.get(key)
    if (known !== undefined) return known
    const fit = fitReplica(question)
    if (fits.size >= rememberedMax) {
      fits.clear()
      machines.clear()
      return fit
    }
    fits.set(key, fit)
    return fit
  }
}

function questionKey(question: FitQuestion): string {
  const { deployment, variant, engine, backend, kind, devices, limits } = question
  const { facts } = variant
  return [
    devices.map(({ id }) => id).join('+'),
    engine.id,
    backend,
    kind,
    variant.source,
    variant.format,
    facts?.tensorBytes,
    facts?.contextTokens,
    deployment.model,
    deployment.task,
    deployment.contextTokens,
    deployment.slots,
    deployment.kvCacheTypes?.join('+'),
    deployment.offload,
    deployment.targets.ttftMs,
    deployment.targets.tpotMs,
    deployment.targets.bestEffort,
    limits.contextTokens,
    limits.slots,
    limits.memoryFraction,
    limits.kvCacheType,
    limits.hostLayersMin,
  ].join(' ')
}
