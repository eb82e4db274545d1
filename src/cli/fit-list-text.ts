/** What `motley fit --list` prints: for each place the models that run there, and those too large. */
import type { FitAnswer, FitPlace } from '#cli/fit-answers.ts'
import { neededBytes, placeName, rateText, tokensText, usableText } from '#cli/fit-text.ts'
import { memoryBar, memoryLegend } from '#cli/memory-bar.ts'
import { memoryCell } from '#cli/quantity.ts'
import { type Column, tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { wrapped } from '#cli/wrapped.ts'

export interface ListedModel {
  readonly model: string
  /** The best that fits; null where nothing does. */
  readonly best: FitAnswer | null
}

const columns: readonly Column[] = [
  { title: 'MODEL', maxWidth: 22 },
  { title: 'FILES', maxWidth: 10 },
  { title: 'ENGINE', maxWidth: 15 },
  { title: 'CONTEXT', align: 'right' },
  { title: 'MEMORY' },
  { title: 'TOK/S', align: 'right' },
]

export function fitListText(
  places: readonly { readonly place: FitPlace; readonly models: readonly ListedModel[] }[],
): string {
  const parts = places.map(({ place, models }) => {
    const fitting = models.flatMap(({ model, best }) => (best === null ? [] : [{ model, best }]))
    const others = models.flatMap(({ model, best }) => (best === null ? [model] : []))
    const title = `${placeName(place)}: ${usableText(place)}`
    return [
      paint('bold', title),
      ...(fitting.length === 0
        ? ['  nothing of the catalogue fits']
        : tableLines(
            columns,
            fitting.map((each) => row(each, place)),
          ).map((line) => `  ${line}`)),
      ...(others.length === 0
        ? []
        : wrapped(`not: ${others.join(', ')}`, 76, '  ').map((line) => `  ${line}`)),
    ].join('\n')
  })
  return [...parts, paint('dim', memoryLegend)].join('\n\n')
}

function row(
  { model, best: { variant, engine, fit } }: { readonly model: string; readonly best: FitAnswer },
  place: FitPlace,
): string[] {
  if (fit.kind !== 'fits') return []
  const rate = fit.speed.decodeTokensPerSecond
  const terms = fit.memory.devices.flatMap((device) => device.terms)
  const needs = memoryCell(neededBytes(fit.memory))
  return [
    model,
    variant.facts?.quantization ?? variant.format,
    engine.id,
    fit.memory.kvCacheTokens === null ? '-' : tokensText(fit.setting.contextTokens),
    `${memoryBar(terms, place.totalBytes, 8)} ${needs.padStart(5)}`,
    rate === null ? '-' : rateText(rate),
  ]
}
