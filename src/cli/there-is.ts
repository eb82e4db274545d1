import { didYouMean } from '#std/closest.ts'

/** Behind "there is no …": the names that there are, and the one that was most likely meant. */
export function thereIs(word: string, names: readonly string[]): string {
  return `; there is ${names.join(', ') || 'none'}${didYouMean(word, names)}`
}
