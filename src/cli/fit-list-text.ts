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
  /** Software that would run it, where all that is missing is that it is installed. */
  readonly missing: readonly string[]
}

const columns: readonly Column[] = [
  { title: 'MODEL', maxWidth: 21 },
  { title: 'FILES', maxWidth: 10 },
  { title: 'ENGINE', maxWidth: 12 },
  { title: 'CONTEXT', align: 'right' },
  { title: 'MEMORY' },
  { title: 'TOK/S', align: 'right' },
]

/** What the columns beside it leave of 80. */
const barWidth = 7

export function fitListText(
  places: readonly { readonly place: FitPlace; readonly models: readonly ListedModel[] }[],
): string {
  const parts = places.map(({ place, models }) => {
    const fitting = models.flatMap(({ model, best }) => (best === null ? [] : [{ model, best }]))
    const others = models.filter(({ best }) => best === null)
    const waiting = others.filter(({ missing }) => missing.length > 0)
    const engines = [...new Set(waiting.flatMap(({ missing }) => missing))].join(' or ')
    const byMissing = Map.groupBy(waiting, ({ missing }) => missing.join(' or '))
    const names = (some: readonly ListedModel[]) => some.map(({ model }) => model).join(', ')
    const tooLarge = others.filter(({ missing }) => missing.length === 0)
    const title = `${placeName(place)}: ${usableText(place)}`
    return [
      paint('bold', title),
      ...(fitting.length === 0
        ? [nothingText(waiting.length, engines)].flatMap(indented)
        : tableLines(
            columns,
            fitting.map((each) => row(each, place)),
          ).map((line) => `  ${line}`)),
      ...[...byMissing].flatMap(([software, some]) =>
        indented(`would fit, with ${software} installed there: ${names(some)}`),
      ),
      ...(tooLarge.length === 0 ? [] : indented(`not: ${names(tooLarge)}`)),
    ].join('\n')
  })
  return [...parts, paint('dim', memoryLegend)].join('\n\n')
}

/** A machine without engines is not too small. */
function nothingText(waiting: number, engines: string): string {
  return waiting === 0
    ? 'nothing of the catalogue fits'
    : `nothing of the catalogue runs there yet: what runs it is not installed (${engines})`
}

function indented(text: string): string[] {
  return wrapped(text, 76, '  ').map((line) => `  ${line}`)
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
    engine.id.replace('motley-', ''),
    fit.memory.kvCacheTokens === null ? '-' : tokensText(fit.setting.contextTokens),
    `${memoryBar(terms, place.totalBytes, barWidth)} ${needs.padStart(5)}`,
    rate === null ? '-' : rateText(rate),
  ]
}
