/** What the memory of a device goes to, as a bar. */
import { barLegend, stackedBar } from '#cli/stacked-bar.ts'
import type { MemoryTerm } from '#placement/fit.ts'

export const memoryLegend = barLegend('weights', 'KV cache', 'buffers and process')

/** `totalBytes`: what the whole bar stands for. */
export function memoryBar(
  terms: readonly Pick<MemoryTerm, 'name' | 'bytes'>[],
  totalBytes: number,
  width: number,
): string {
  const sums = { weights: 0, 'kv-cache': 0, rest: 0 }
  for (const { name, bytes } of terms) {
    sums[name === 'weights' || name === 'kv-cache' ? name : 'rest'] += bytes
  }
  return stackedBar([sums.weights, sums['kv-cache'], sums.rest], totalBytes, width)
}
