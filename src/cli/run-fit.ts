/** Does what `motley fit` is asked for, and prints it. */
import { CommandFailure } from '#cli/command-failure.ts'
import { bestFit, type FitAnswer, fitAnswers, fitPlaces } from '#cli/fit-answers.ts'
import { placesThatFit } from '#cli/fit-elsewhere.ts'
import { type FleetOptions, fitFleet } from '#cli/fit-fleet.ts'
import { fitListText } from '#cli/fit-list-text.ts'
import { catalogFitModel, fitModel } from '#cli/fit-model.ts'
import { fitText } from '#cli/fit-text.ts'
import { printJson } from '#cli/terminal.ts'
import { catalogNames } from '#weights/catalog/model-catalog.ts'

export interface FitOptions extends FleetOptions {
  readonly context?: string
  readonly slots?: string
  readonly list?: boolean
  readonly json?: boolean
}

export async function answerFit(text: string, options: FitOptions): Promise<void> {
  const wish = wishOf(options)
  const model = await fitModel(text)
  const inventory = await fitFleet(options)
  const places = fitPlaces(inventory).map((place) => ({
    place,
    answers: fitAnswers(model, place, inventory, wish),
  }))
  if (places.length === 0) throw new CommandFailure('no', noDevice)
  const somewhere = places.some(({ answers }) => answers.some(({ fit }) => fit.kind === 'fits'))
  if (options.json) {
    const { name, parameterCount, contextTokens } = model
    printJson({ model: { name, parameterCount, contextTokens }, places: places.map(placeJson) })
  } else console.log(fitText(model, places, somewhere ? [] : placesThatFit(model, wish)))
  if (!somewhere) process.exitCode = 1
}

const noDevice = 'no device was found that could hold a model; "motley detect" shows what there is'

export async function listFits(options: FitOptions): Promise<void> {
  const wish = wishOf(options)
  const inventory = await fitFleet(options)
  const models = [...new Set(catalogNames().flatMap((name) => catalogFitModel(name)?.name ?? []))]
  const places = fitPlaces(inventory).map((place) => ({
    place,
    models: models.map((name) => {
      const model = catalogFitModel(name)
      const answers = model === null ? [] : fitAnswers(model, place, inventory, wish)
      return { model: name, best: bestFit(answers) }
    }),
  }))
  if (places.length === 0) throw new CommandFailure('no', noDevice)
  if (options.json) {
    printJson({
      places: places.map(({ place, models }) => ({
        ...placeJson({ place, answers: [] }),
        models: models.map(({ model, best }) => ({
          model,
          best: best === null ? null : answerJson(best),
        })),
      })),
    })
  } else console.log(fitListText(places))
  const somewhere = places.some(({ models }) => models.some(({ best }) => best !== null))
  if (!somewhere) process.exitCode = 1
}

function placeJson({
  place,
  answers,
}: {
  readonly place: ReturnType<typeof fitPlaces>[number]
  readonly answers: readonly FitAnswer[]
}) {
  const { node, devices, usableBytes, totalBytes } = place
  return {
    node: node.name,
    devices: devices.map(({ id, device }) => ({ id, name: device.name })),
    usableBytes: Math.round(usableBytes),
    totalBytes,
    answers: answers.map(answerJson),
  }
}

function answerJson({ variant, engine, backend, kind, fit }: FitAnswer) {
  const { facts, source, format } = variant
  return {
    ...{ source, format, quantization: facts?.quantization ?? null },
    tensorBytes: facts?.tensorBytes ?? null,
    ...{ engine: engine.id, backend, launch: kind, ...fit },
  }
}

function wishOf({ context, slots }: FitOptions) {
  return {
    contextTokens: countOf(context, '--context', 2 ** 31),
    slots: countOf(slots, '--slots', 1_024),
  }
}

function countOf(text: string | undefined, option: string, most: number): number | null {
  if (text === undefined) return null
  const [, digits = '', unit] = /^(\d+)(k?)$/i.exec(text) ?? []
  const count = Number(digits) * (unit ? 1_024 : 1)
  if (digits !== '' && count >= 1 && count <= most) return count
  throw new CommandFailure(
    'wrong',
    `${option} takes a whole number from 1 to ${most}, and not "${text}"`,
  )
}
