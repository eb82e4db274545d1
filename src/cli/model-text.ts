/** Models of this machine and what is in them, as text. */

import { shortName } from '#cli/model-names.ts'
import { bytesText, parametersText } from '#cli/quantity.ts'
import { type Column, tableLines } from '#cli/table.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { ModelFacts } from '#core/model-facts.ts'

export interface ListedModel {
  readonly reference: string
  readonly sizeBytes: number
  /** Null where its format has no header, or where that cannot be read. */
  readonly facts: ModelFacts | null
  /** Why it cannot be read; null where nothing is wrong. */
  readonly problem: string | null
}

export interface UnfinishedModel {
  readonly reference: string
  readonly path: string
  readonly doneBytes: number
  readonly sizeBytes: number | null
}

const columns: readonly Column[] = [
  { title: 'MODEL' },
  { title: 'SIZE', align: 'right' },
  { title: 'PARAMS', align: 'right' },
  { title: 'QUANT', maxWidth: 11 },
  { title: 'CONTEXT', align: 'right' },
]

export function modelListText(
  models: readonly ListedModel[],
  unfinished: readonly UnfinishedModel[],
  width = terminalWidth,
): string {
  const lines =
    models.length === 0
      ? ['No models are here yet: "motley model pull hf:owner/repo" brings one.']
      : listLines(models, width)
  for (const { reference, problem } of models) {
    if (problem !== null) lines.push('', ...wrapped(`${reference}: ${problem}`, width, '  '))
  }
  if (unfinished.length > 0) {
    lines.push('', 'Not finished; the same pull goes on where it stopped:')
    for (const { reference, path, doneBytes, sizeBytes } of unfinished) {
      const share = sizeBytes ? `, ${Math.floor((doneBytes * 100) / sizeBytes)}%` : ''
      lines.push(`  ${reference}`, `    ${path}: ${bytesText(doneBytes)}${share}`)
    }
  }
  return lines.join('\n')
}

/** Every name can be typed back: one that is too long for its column has a line of its own. */
function listLines(models: readonly ListedModel[], width: number): string[] {
  const facts = models.map(factCells)
  const taken = Math.max(...tableLines(columns.slice(1), facts).map((line) => line.length))
  const nameWidth = width - taken - 2
  const names = models.map(({ reference }) => shortName(models, reference, nameWidth))
  const rows = facts.map((cells, index) => {
    const name = names[index] ?? ''
    return [name.length > nameWidth ? '' : name, ...cells]
  })
  const [titles = '', ...lines] = tableLines(columns, rows)
  return [
    titles,
    ...lines.flatMap((line, index) => (rows[index]?.[0] ? [line] : [names[index] ?? '', line])),
  ]
}

function factCells({ sizeBytes, facts, problem }: ListedModel): string[] {
  return [
    bytesText(sizeBytes),
    facts === null ? '-' : parametersText(facts.parameterCount),
    problem === null ? (facts?.quantization ?? '-') : 'damaged',
    facts?.contextTokens?.toString() ?? '-',
  ]
}

export function factsText(
  facts: ModelFacts,
  files: readonly { readonly path: string; readonly sizeBytes: number | null }[],
): string {
  const fileBytes = files.reduce((total, { sizeBytes }) => total + (sizeBytes ?? 0), 0)
  const { tensorBytesByPart: parts } = facts
  const rows: [string, string | null][] = [
    ['name', facts.name],
    ['format', facts.format === 'gguf' ? 'GGUF' : facts.format],
    ['architecture', facts.architecture],
    ['parameters', `${parametersText(facts.parameterCount)} (${facts.parameterCount})`],
    [
      'quantization',
      `${facts.quantization ?? 'unknown'}, ${facts.bitsPerWeight.toFixed(2)} bits a weight`,
    ],
    ['context', facts.contextTokens === null ? null : `${facts.contextTokens} tokens`],
    ['layers', facts.layerCount === 0 ? null : layersText(facts)],
    ['heads', headsText(facts)],
    ['experts', expertsText(facts)],
    ['embedding', facts.embeddingLength?.toString() ?? null],
    ['vocabulary', facts.vocabularySize?.toString() ?? null],
    ['pooling', facts.pooling],
    ['chat template', chatText(facts)],
    ['files', `${files.length}, ${bytesText(fileBytes)}`],
    ['tensors', `${facts.tensorCount}, ${bytesText(facts.tensorBytes)}`],
    ['  embedding', bytesText(parts.tokenEmbedding)],
    ['  layers', bytesText(sum(parts.byLayer))],
    ['    experts', sum(parts.expertsByLayer) === 0 ? null : bytesText(sum(parts.expertsByLayer))],
    ['  output', parts.output === 0 ? 'the embedding' : bytesText(parts.output)],
    ['  other', bytesText(parts.other)],
  ]
  return rows
    .filter((row): row is [string, string] => row[1] !== null)
    .map(([label, value]) => `${label.padEnd(15)}${value}`.slice(0, 80))
    .join('\n')
}

function layersText({ layerCount, attention }: ModelFacts): string {
  const without = attention.filter(({ kvHeadCount }) => kvHeadCount === 0).length
  const windows = attention.filter(({ windowTokens }) => windowTokens !== null)
  const parts = [String(layerCount)]
  if (windows.length > 0) {
    parts.push(`${windows.length} with a window of ${windows[0]?.windowTokens} tokens`)
  }
  if (without > 0 && without < layerCount) parts.push(`${without} without attention`)
  return parts.join(', ')
}

function headsText({ headCount, kvHeadCount, keyDimension, latentAttention }: ModelFacts) {
  if (headCount === null) return null
  const dimension = keyDimension === null ? '' : `, ${keyDimension} numbers each`
  const latent = latentAttention === null ? '' : `, latent of ${latentAttention.kvLoraRank}`
  return `${headCount}, ${kvHeadCount ?? headCount} for keys and values${dimension}${latent}`
}

function expertsText({ experts }: ModelFacts): string | null {
  return experts === null ? null : `${experts.count}, ${experts.usedPerToken} used for a token`
}

function chatText({ chatTemplate }: ModelFacts): string {
  return chatTemplate === null ? 'none' : `${chatTemplate.length} letters (--template prints it)`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
