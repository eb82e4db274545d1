/** Does what `motley fit` is asked for, and prints it. */

import { aliasOf } from '#cli/catalog-hint.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { contextOf, kvCacheTypesOf, slotsOf } from '#cli/count.ts'
import {
  bestFit,
  type FitAnswer,
  type FitWish,
  fitAnswers,
  fitPlaces,
  missingSoftware,
} from '#cli/fit-answers.ts'
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
  readonly kvCacheTypes?: string
  readonly offload?: boolean
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
    const { name, aliasOf, parameterCount, contextTokens } = model
    printJson({
      model: { name, aliasOf, parameterCount, contextTokens },
      places: places.map(placeJson),
    })
  } else {
    // No other device helps where software is missing.
    const isDevice = !places.some(({ answers }) => missingSoftware(answers).length > 0)
    const elsewhere = somewhere || !isDevice ? [] : placesThatFit(model, wish)
    console.log(fitText(model, places, elsewhere))
  }
  if (!somewhere) process.exitCode = 1
}

const noDevice = 'no device was found that could hold a model; "motley detect" shows what there is'

export async function listFits(options: FitOptions): Promise<void> {
  const wish = wishOf(options)
  const inventory = await fitFleet(options)
  const models = catalogNames().filter((name) => aliasOf(name) === null)
  const places = fitPlaces(inventory).map((place) => ({
    place,
    models: models.map((name) => {
      const model = catalogFitModel(name)
      const answers = model === null ? [] : fitAnswers(model, place, inventory, wish)
      return { model: name, best: bestFit(answers), missing: missingSoftware(answers) }
    }),
  }))
  if (places.length === 0) throw new CommandFailure('no', noDevice)
  if (options.json) {
    printJson({
      places: places.map(({ place, models }) => ({
        ...placeJson({ place, answers: [] }),
        models: models.map(({ model, best, missing }) => ({
          model,
          best: best === null ? null : answerJson(best),
          ...(best === null && missing.length > 0 ? { notInstalled: missing } : {}),
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

function wishOf({ context, slots, kvCacheTypes, offload }: FitOptions): FitWish {
  return {
    contextTokens: contextOf(context, '--context'),
    slots: slotsOf(slots),
    kvCacheTypes: kvCacheTypesOf(kvCacheTypes, '--kv-cache-types'),
    offload: offload === true,
  }
}
