/** Memory as a bar of blocks: what of a device is taken for what, and what stays free. */
import type { MemoryTerm } from '#placement/fit.ts'

const marks = { weights: '█', 'kv-cache': '▓', rest: '▒', free: '░' } as const

export const barLegend = `${marks.weights} weights  ${marks['kv-cache']} KV cache  ${marks.rest} buffers and process  ${marks.free} free`

/** `totalBytes`: what the whole bar stands for. What exceeds it ends in an arrow. */
export function memoryBar(
  terms: readonly Pick<MemoryTerm, 'name' | 'bytes'>[],
  totalBytes: number,
  width: number,
): string {
  let bytes = 0
  let bar = ''
  for (const part of ['weights', 'kv-cache', 'rest'] as const) {
    bytes += terms
      .filter(({ name }) => partOf(name) === part)
      .reduce((sum, term) => sum + term.bytes, 0)
    const end = totalBytes <= 0 ? width + 1 : Math.round((bytes / totalBytes) * width)
    bar += marks[part].repeat(Math.max(0, end - bar.length))
    if (bar.length > width) return `${bar.slice(0, width - 1)}▶`
  }
  return bar.padEnd(width, marks.free)
}

function partOf(name: MemoryTerm['name']): 'weights' | 'kv-cache' | 'rest' {
  return name === 'weights' || name === 'kv-cache' ? name : 'rest'
}
