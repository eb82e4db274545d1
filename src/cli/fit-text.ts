/** What `motley fit` prints: a table for each place, and why nothing fits where nothing does. */
import { bestFit, type FitAnswer, type FitPlace } from '#cli/fit-answers.ts'
import type { FitModel } from '#cli/fit-model.ts'
import { memoryBar, memoryLegend } from '#cli/memory-bar.ts'
import { durationText, memoryCell, parametersText } from '#cli/quantity.ts'
import { type Column, tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { wrapped } from '#cli/wrapped.ts'
import { kvCacheTypesOn } from '#core/engine-memory.ts'
import { memoryText } from '#core/memory-text.ts'
import type { Fit, MemoryNeed, MemoryTerm } from '#placement/fit.ts'

const width = 80

export interface PlaceAnswers {
  readonly place: FitPlace
  readonly answers: readonly FitAnswer[]
}

/** Below this many bits a weight, answers get visibly worse: shown where nothing better fits. */
const poorBits = 4

/** `elsewhere`: devices that nobody here has and that would do, for a model that fits nowhere. */
export function fitText(
  model: FitModel,
  places: readonly PlaceAnswers[],
  elsewhere: readonly string[] = [],
): string {
  const context =
    model.contextTokens === null ? '' : `, up to ${tokensText(model.contextTokens)} tokens`
  return [
    paint('bold', `${model.name}: ${parametersText(model.parameterCount)} parameters${context}`),
    ...(model.aliasOf === null
      ? []
      : wrapped(
          `An alias of ${model.aliasOf} in the catalogue: the same files under another name.`,
          width,
          '  ',
        )),
    ...places.flatMap((each) => ['', ...placeLines(each)]),
    ...(elsewhere.length === 0 ? [] : ['', ...wrapped(elsewhereText(elsewhere), width, '  ')]),
    '',
    paint('dim', memoryLegend),
  ].join('\n')
}

function elsewhereText(names: readonly string[]): string {
  return `It would fit, with ${elsewhereBits}, on ${names.join(', ')}.`
}

function placeLines({ place, answers }: PlaceAnswers): string[] {
  const shown = shownAnswers(answers)
  const title = `${placeName(place)}: ${usableText(place)}`
  if (shown.length === 0) {
    return [paint('bold', title), '  no engine reads any of its files for this task there']
  }
  const possible = shown.filter(({ fit }) => fit.kind === 'fits' || isMemory(fit))
  const extras = extraColumns.filter(({ cell }) => possible.some((one) => cell(one) !== ''))
  const barWidth = extras.reduce((left, { takes }) => left - takes, barWidthMax)
  const rows = possible.map((answer) => [
    ...row(answer, place, barWidth),
    ...extras.map(({ cell }) => cell(answer)),
  ])
  const lines = tableLines([...columns, ...extras.map(({ column }) => column)], rows)
  const best = bestFit(shown)
  return [
    paint('bold', title),
    ...(possible.length === 0 ? [] : lines.map((line) => `  ${line}`)),
    ...shown.flatMap((answer) => (possible.includes(answer) ? [] : blockedLines(answer))),
    ...(best === null ? refusalLines(answers) : sumLines(best)),
  ]
}

function isMemory(fit: Fit): boolean {
  return fit.kind === 'no' && fit.blockers.every(({ check }) => check === 'memory')
}

function blockedLines({ variant, fit }: FitAnswer): string[] {
  const [first] = fit.kind === 'no' ? fit.blockers.filter(({ check }) => check !== 'memory') : []
  const files = variant.facts?.quantization ?? variant.format
  if (first === undefined) return []
  // What only has to be installed is no fault of the device.
  const mend =
    first.code === 'no-container-software' && first.unlockedBy !== null
      ? `; to change that: ${first.unlockedBy}`
      : ''
  return noteLines(`${files} cannot run there: ${first.what}${mend}`)
}

/** Few bits only where nothing better fits, and then the most of them. */
function shownAnswers(answers: readonly FitAnswer[]): readonly FitAnswer[] {
  const isPoor = ({ variant }: FitAnswer) => (variant.facts?.bitsPerWeight ?? 16) < poorBits
  const good = answers.filter((answer) => !isPoor(answer))
  if (good.length === 0) return answers
  if (good.some(({ fit }) => fit.kind === 'fits')) return good
  const poor = answers.find((answer) => isPoor(answer) && answer.fit.kind === 'fits')
  return poor === undefined ? good : [...good, poor]
}

const columns: readonly Column[] = [
  { title: 'FILES', maxWidth: 12 },
  { title: 'ENGINE', maxWidth: 12 },
  { title: 'CONTEXT', align: 'right' },
  { title: 'SLOTS', align: 'right' },
  { title: 'MEMORY' },
  { title: 'NEEDS', align: 'right' },
  { title: 'TOK/S', align: 'right' },
]

/** As wide as the other columns leave of 80, and less where a row has something else to say. */
const barWidthMax = 18

interface ExtraColumn {
  readonly column: Column
  /** Columns of text that it costs, with the gap before it. */
  readonly takes: number
  /** Empty where a row has what is usual. */
  readonly cell: (answer: FitAnswer) => string
}

/** What was given up so that it fits, where it was allowed. */
const extraColumns: readonly ExtraColumn[] = [
  {
    column: { title: 'KV', maxWidth: 4 },
    takes: 6,
    cell: ({ engine, backend, fit }) => {
      if (fit.kind === 'no' || fit.memory.kvCacheTokens === null) return ''
      const { kvCacheType } = fit.setting
      return kvCacheType === kvCacheTypesOn(engine.memory, backend)[0] ? '' : kvCacheType
    },
  },
  {
    column: { title: 'ON CPU', align: 'right', maxWidth: 6 },
    takes: 8,
    cell: ({ fit }) => {
      const offload = fit.kind === 'fits' ? fit.setting.offload : null
      if (offload === null) return ''
      return `${offload.layersOnHost + offload.expertLayersOnHost}/${offload.layerCount}`
    },
  },
]

function row({ variant, engine, fit }: FitAnswer, place: FitPlace, barWidth: number): string[] {
  const files = variant.facts?.quantization ?? variant.format
  const need = neededBytes(fit.memory)
  const bar = fit.memory === null ? '' : memoryBar(allTerms(fit.memory), place.totalBytes, barWidth)
  const needs = fit.memory === null ? '?' : memoryCell(need)
  const name = engine.id.replace('motley-', '')
  if (fit.kind === 'no') return [files, name, '-', '-', bar, needs, 'no']
  const { setting, speed } = fit
  const hasContext = fit.memory.kvCacheTokens !== null
  return [
    files,
    name,
    hasContext ? tokensText(setting.contextTokens) : '-',
    String(setting.slots),
    bar,
    needs,
    speed.decodeTokensPerSecond === null ? '-' : rateText(speed.decodeTokensPerSecond),
  ]
}

/** The sum of the best one, so that a person can add it up again. */
function sumLines({ variant, fit }: FitAnswer): string[] {
  if (fit.kind !== 'fits') return []
  const { memory, speed, notes } = fit
  const files = variant.facts?.quantization ?? variant.format
  const prompt = speed.promptTokensPerSecond
  const facts = [
    `${files}: ${sumText(memory)}`,
    ...(prompt === null ? [] : [`reads prompts at ${rateText(prompt)} tokens/s`]),
    ...(speed.startMs === null
      ? []
      : [`first answer after ${durationText(speed.startMs)}, download included`]),
    `memory ${memory.confidence}, speed ${speedBasis[speed.basis]}`,
  ]
  const lines = wrapped(facts.join('; '), width - 4, '')
  return [
    ...lines.map((line) => `  ${line}`),
    ...notes.flatMap((note) => noteLines(`note: ${note}`)),
  ]
}

const speedBasis = {
  measured: 'by measurement on this node',
  similar: 'by published measurements of such devices',
  bandwidth: 'by the bandwidth of its memory',
  unknown: 'not known: nobody has measured this device',
} as const

/** Of the usual quantization, and of the one that comes closest: why not, and what would do. */
function refusalLines(answers: readonly FitAnswer[]): string[] {
  const refused = answers.filter(({ fit }) => isMemory(fit))
  const [closest] = refused.toSorted((a, b) => distance(a.fit) - distance(b.fit))
  const usual = refused.find(({ variant }) => variant.facts?.quantization === usualQuantization)
  // What needs hardly less than the usual one tells nothing new.
  const isNews = (each: FitAnswer | undefined) =>
    usual === undefined ||
    each === undefined ||
    neededBytes(each.fit.memory) < newsRatio * neededBytes(usual.fit.memory)
  const told = [usual, ...(isNews(closest) ? [closest] : [])].filter((each) => each !== undefined)
  return told.flatMap(({ variant, fit }) => {
    if (fit.kind !== 'no') return []
    const files = variant.facts?.quantization ?? variant.format
    const { blockers, suggestions, memory } = fit
    const sum = memory === null ? '' : `: ${sumText(memory)}`
    return [
      ...blockers.slice(0, 2).flatMap(({ what }) => noteLines(`${files}: ${what}`)),
      ...noteLines(`${files}${sum}`),
      ...suggestions.flatMap((text) => noteLines(`would fit (${files}): ${text}`)),
    ]
  })
}

const newsRatio = 0.8

/** What people mean by 4 bits. */
const usualQuantization = 'Q4_K_M'

/** For a refused model the devices are looked for that hold it without visible loss. */
const elsewhereBits = '4 bits a weight'

function distance(fit: Fit): number {
  if (fit.kind === 'fits') return 0
  if (fit.memory === null) return Number.POSITIVE_INFINITY
  const blocked = fit.blockers.some(({ check }) => check !== 'memory')
  return neededBytes(fit.memory) * (blocked ? 1e3 : 1)
}

function noteLines(text: string): string[] {
  return wrapped(text, width - 4, '  ').map((line) => `  ${line}`)
}

/** `22.8 GiB of 24 GiB usable`: the word that reasons have for it, too. */
export function usableText({ usableBytes, totalBytes }: FitPlace): string {
  return `${memoryText(usableBytes)} of ${memoryText(totalBytes)} usable`
}

export function placeName({ node, devices }: FitPlace): string {
  const name = devices[0]?.device.name ?? 'no device'
  const what = devices.length > 1 ? `${devices.length} × ${name}` : name
  return node.devices.length === devices.length && node.name !== 'this machine'
    ? `${node.name} (${what})`
    : `${what} of ${node.name}`
}

/** `weights 4.3 GiB + KV cache 1 GiB = 5.3 GiB` */
function sumText(memory: MemoryNeed): string {
  const terms = byName(allTerms(memory)).map(([name, bytes]) => `${name} ${memoryText(bytes)}`)
  return `${terms.join(' + ')} = ${memoryText(neededBytes(memory))}`
}

export function neededBytes(memory: MemoryNeed | null): number {
  return (memory?.devices ?? []).reduce((sum, { needBytes }) => sum + needBytes, 0)
}

function allTerms(memory: MemoryNeed): readonly MemoryTerm[] {
  return memory.devices.flatMap(({ terms }) => terms)
}

const termTitles: Readonly<Record<MemoryTerm['name'], string>> = {
  weights: 'weights',
  'kv-cache': 'KV cache',
  compute: 'buffers',
  overhead: 'process',
  projector: 'projector',
  state: 'states',
  correction: 'correction',
}

function byName(terms: readonly MemoryTerm[]): readonly (readonly [string, number])[] {
  const sums = new Map<string, number>()
  for (const { name, bytes } of terms) {
    sums.set(termTitles[name], (sums.get(termTitles[name]) ?? 0) + bytes)
  }
  return [...sums]
}

/** `96k` as it can be written, too; in full where it is no round number of them. */
export function tokensText(tokens: number): string {
  if (tokens >= 1_024 && tokens % 1_024 === 0) return `${tokens / 1_024}k`
  return String(tokens).replace(/\B(?=(\d{3})+$)/g, ',')
}

export function rateText(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : String(Math.round(rate))
}
