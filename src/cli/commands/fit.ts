import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { type FitAnswer, fitAnswers, fitPlaces } from '#cli/fit-answers.ts'
import { placesThatFit } from '#cli/fit-elsewhere.ts'
import { type FleetOptions, fitFleet } from '#cli/fit-fleet.ts'
import { fitListText } from '#cli/fit-list-text.ts'
import { catalogFitModel, fitModel } from '#cli/fit-model.ts'
import { fitText } from '#cli/fit-text.ts'
import { withGatewayOptions } from '#cli/gateway-client.ts'
import { printJson } from '#cli/terminal.ts'
import { catalogNames } from '#weights/catalog/model-catalog.ts'

interface FitOptions extends FleetOptions {
  readonly context?: string
  readonly slots?: string
  readonly list?: boolean
  readonly json?: boolean
}

export function addFitCommand(program: Command): void {
  withGatewayOptions(program.command('fit'))
    .description('Say whether a model fits, in which quantization, and how fast it would be.')
    .argument('[model]', 'of the catalogue, as llama-3.1-8b[:Q4_K_M], or hf:…, https:…, file:…')
    .option('--context <tokens>', 'of one request (default: as much as fits)')
    .option('--slots <count>', 'requests at a time (default: what the engine has)')
    .option('--on <device>', 'a device that need not be here: rtx-4090, "2 x rtx-3090 24GiB"')
    .option('--inventory <file>', 'a fleet as "motley nodes --json" printed it')
    .option('--list', 'which models of the catalogue fit')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Looks at the fleet where a controller answers, else at this machine. Nothing is
downloaded; headers of hf: and https: are read. Exits with 1 when it fits nowhere.`,
    )
    .action(async (model: string | undefined, options: FitOptions) => {
      if (options.list) return listAll(options)
      if (model === undefined) {
        throw new CommandFailure('wrong', 'which model? As "motley fit llama-3.1-8b", or --list')
      }
      return answer(model, options)
    })
}

async function answer(text: string, options: FitOptions): Promise<void> {
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

/** More bits are worth more than speed, down to the context of a conversation. */
const contextWorth = 8_192
const bitsWorth = 4

async function listAll(options: FitOptions): Promise<void> {
  const wish = wishOf(options)
  const inventory = await fitFleet(options)
  const models = [...new Set(catalogNames().flatMap((name) => catalogFitModel(name)?.name ?? []))]
  const places = fitPlaces(inventory).map((place) => ({
    place,
    models: models.map((name) => {
      const model = catalogFitModel(name)
      const answers = model === null ? [] : fitAnswers(model, place, inventory, wish)
      return { model: name, best: bestOf(answers) }
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

function bestOf(answers: readonly FitAnswer[]): FitAnswer | null {
  const fitting = answers.filter(({ fit }) => fit.kind === 'fits')
  const good = fitting.find(
    ({ fit, variant }) =>
      fit.kind === 'fits' &&
      (variant.facts?.bitsPerWeight ?? 0) >= bitsWorth &&
      (fit.memory.kvCacheTokens === null || fit.setting.contextTokens >= contextWorth),
  )
  return good ?? fitting.at(0) ?? null
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
