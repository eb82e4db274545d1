/** For a model that fits nowhere: devices that one can have, and that would hold it. */
import { type FitWish, fitAnswers, fitPlaces } from '#cli/fit-answers.ts'
import { namedNode } from '#cli/fit-fleet.ts'
import type { FitModel } from '#cli/fit-model.ts'
import { deviceKinds } from '#hardware/probe-device-kinds.ts'

/** Fewer bits a weight make visibly worse answers: no reason to buy a device. */
const bitsMin = 4
const namesMax = 4

/** The smallest of each vendor that do, alone or two together. */
export function placesThatFit(model: FitModel, wish: FitWish): readonly string[] {
  const good = model.variants.filter(({ facts }) => (facts?.bitsPerWeight ?? 0) >= bitsMin)
  const smallest = good.findLast(({ format }) => format === 'gguf') ?? good.at(-1)
  if (smallest === undefined) return []
  const wanted = { ...model, variants: [smallest] }
  const fits = (text: string): boolean => {
    const node = namedNode(text)
    const inventory = { nodes: [node], replicas: [], memory: [], speeds: [] }
    return fitPlaces(inventory).some((place) =>
      fitAnswers(wanted, place, inventory, wish).some(({ fit }) => fit.kind === 'fits'),
    )
  }
  const found: string[] = []
  for (const vendor of ['nvidia', 'amd', 'apple'] as const) {
    const kinds = deviceKinds
      .filter((kind) => kind.vendor === vendor && kind.memoryGibibytes !== null)
      .toSorted((a, b) => (a.memoryGibibytes ?? 0) - (b.memoryGibibytes ?? 0))
    const one = kinds.find(({ id }) => fits(id))
    const two = vendor === 'nvidia' ? kinds.find(({ id }) => fits(`2 x ${id}`)) : undefined
    if (two !== undefined && (one === undefined || memoryOf(two) * 2 < memoryOf(one) * 1.5)) {
      found.push(`2 x ${two.id}`)
    }
    if (one !== undefined) found.push(one.id)
  }
  return found.slice(0, namesMax)
}

function memoryOf({ memoryGibibytes }: { readonly memoryGibibytes: number | null }): number {
  return memoryGibibytes ?? 0
}
