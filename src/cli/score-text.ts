/** Scores of places side by side, term by term. */
import { type Column, tableLines } from '#cli/table.ts'

type Score = Readonly<Record<string, number>>

export function scoreSum(score: Score): number {
  return Object.values(score).reduce((sum, term) => sum + term, 0)
}

const legend = 'in seconds of a typical answer, or what is worth as much; the least wins'

/** Where nobody has measured or published how fast such devices are. */
const guesses: ReadonlySet<string> = new Set(['bandwidth', 'unknown'])

/** The term that the speed of a place is in. */
const speedTerm = 'answer'

interface ScoredPlace {
  readonly title: string
  readonly score: Score
  /** What its speed rests on; an earlier version does not tell. */
  readonly speedBasis?: string | null | undefined
}

/** In seconds; the smallest sum wins. */
export function scoreLines(places: readonly ScoredPlace[]): string[] {
  const terms = [...new Set(places.flatMap(({ score }) => Object.keys(score)))]
  const columns: Column[] = [
    { title: 'SECONDS' },
    ...places.map(({ title }) => ({ title, align: 'right' as const, maxWidth: 20 })),
  ]
  const cell = (place: ScoredPlace, seconds: number, isOfSpeed: boolean): string =>
    `${isOfSpeed && isGuessed(place) ? '~' : ''}${seconds.toFixed(2)}`
  const rows = terms.map((term) => [
    term,
    ...places.map((place) => cell(place, place.score[term] ?? 0, term === speedTerm)),
  ])
  const sums = ['sum', ...places.map((place) => cell(place, scoreSum(place.score), true))]
  const guessed = places.some(isGuessed) ? [guessLegend] : []
  return [...tableLines(columns, [...rows, sums]), legend, ...guessed].map((line) => `  ${line}`)
}

function isGuessed({ score, speedBasis }: ScoredPlace): boolean {
  return speedTerm in score && speedBasis != null && guesses.has(speedBasis)
}

const guessLegend = '"~" is a first guess: nobody has measured or published such a speed'
