/** A mixed-integer program, and its text in CPLEX's LP format, which every solver reads. */

export interface Term {
  readonly factor: number
  readonly variable: string
}

export interface Row {
  readonly terms: readonly Term[]
  readonly relation: '<=' | '>=' | '='
  readonly bound: number
}

export interface Variable {
  readonly name: string
  readonly max: number
  readonly isInteger: boolean
}

/** To be minimized. */
export interface LinearProgram {
  readonly objective: readonly Term[]
  readonly rows: readonly Row[]
  readonly variables: readonly Variable[]
}

export interface LinearSolution {
  /** `feasible`: the best that was found before the solver had done what it may. */
  readonly kind: 'optimal' | 'feasible'
  readonly objective: number
  readonly values: ReadonlyMap<string, number>
  /** How far the objective may be from the best one; 0 when optimal, infinite when nobody can tell. */
  readonly gapRatio: number
}

/**
 * Null when there is no solution, or none was found before the solver had done what it may. `gapRatio`:
 * from how near the optimum on a solution is good enough; left out where the solver was told before.
 */
export type SolveLinearProgram = (lpText: string, gapRatio?: number) => LinearSolution | null

/** Readers of the format take lines of a few hundred characters. */
const termsEachLine = 8

export function linearProgramText({ objective, rows, variables }: LinearProgram): string {
  const lines = ['Minimize', ` cost: ${sumText(objective)}`, 'Subject To']
  for (const [index, { terms, relation, bound }] of rows.entries()) {
    lines.push(` r${index}: ${sumText(terms)} ${relation} ${numberText(bound)}`)
  }
  lines.push('Bounds')
  for (const { name, max } of variables) lines.push(` 0 <= ${name} <= ${numberText(max)}`)
  const integers = variables.filter(({ isInteger }) => isInteger).map(({ name }) => name)
  if (integers.length > 0) lines.push('General', ...inLines(integers))
  lines.push('End', '')
  return lines.join('\n')
}

function sumText(terms: readonly Term[]): string {
  const used = terms.filter(({ factor }) => factor !== 0)
  if (used.length === 0) return '0 none'
  return inLines(
    used.map(
      ({ factor, variable }) =>
        `${factor < 0 ? '-' : '+'} ${numberText(Math.abs(factor))} ${variable}`,
    ),
  )
    .join('\n')
    .trimStart()
}

function inLines(words: readonly string[]): string[] {
  const lines: string[] = []
  for (let at = 0; at < words.length; at += termsEachLine) {
    lines.push(` ${words.slice(at, at + termsEachLine).join(' ')}`)
  }
  return lines
}

/** Without an exponent, which some readers take for a name. */
function numberText(value: number): string {
  return Number(value.toFixed(9)).toString().includes('e')
    ? value.toFixed(9)
    : Number(value.toFixed(9)).toString()
}
