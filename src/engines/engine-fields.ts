/** Shapes of single fields on engines' pages, and the arithmetic of a load figure. */
import { z } from 'zod'

/** A field that may be missing or nonsense: then it is null, and the page still counts. */
export function nullable<Output>(shape: z.ZodType<Output>): z.ZodType<Output | null> {
  return shape.nullable().catch(null)
}

/** Above a billion it is a sentinel for "unlimited" or noise, and no figure to route by. */
const figureMax = 1e9

export const positiveInteger = z.int().positive().max(figureMax)
export const wholeNumber = z.int().nonnegative().max(figureMax)

export const versionText = z.string().trim().min(1).max(200)

/** The sum of counts, such as one per data-parallel rank; null when one is no count or none is. */
export function sumOfCounts(values: readonly number[] | undefined): number | null {
  if (values === undefined || values.length === 0) return null
  const sum = values.reduce((total, value) => total + value, 0)
  const counts = values.every((value) => value >= 0) && sum <= figureMax
  return counts ? Math.round(sum) : null
}

/** The mean of ratios, one per data-parallel rank; null when one is no ratio or there is none. */
export function meanOfRatios(values: readonly number[] | undefined): number | null {
  if (values === undefined || values.length === 0) return null
  if (!values.every((value) => value >= 0 && value <= 1)) return null
  return values.reduce((total, value) => total + value, 0) / values.length
}
