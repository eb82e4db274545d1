/** Scores of places side by side, term by term. */
import { type Column, tableLines } from '#cli/table.ts'

type Score = Readonly<Record<string, number>>

export function scoreSum(score: Score): number {
  return Object.values(score).reduce((sum, term) => sum + term, 0)
}

const legend = 'in seconds of a typical answer, or what is worth as much; the least wins'

/** In seconds; the smallest sum wins. */
export function scoreLines(
  places: readonly { readonly title: string; readonly score: Score }[],
): string[] {
  const terms = [...new Set(places.flatMap(({ score }) => Object.keys(score)))]
  const columns: Column[] = [
    { title: 'SECONDS' },
    ...places.map(({ title }) => ({ title, align: 'right' as const, maxWidth: 20 })),
  ]
  const rows = terms.map((term) => [
    term,
    ...places.map(({ score }) => (score[term] ?? 0).toFixed(2)),
  ])
  const sums = ['sum', ...places.map(({ score }) => scoreSum(score).toFixed(2))]
  return [...tableLines(columns, [...rows, sums]), legend].map((line) => `  ${line}`)
}
