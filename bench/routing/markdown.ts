/** What pages are made of: tables, plots beside them, and figures as people read them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Estimate } from './statistics.ts'

export const docs = fileURLToPath(new URL('../../docs/', import.meta.url))

/** Writes a plot, and says where in the page it is. */
export function plot(name: string, svg: string, alt: string): string {
  mkdirSync(`${docs}benchmarks`, { recursive: true })
  writeFileSync(`${docs}benchmarks/${name}.svg`, svg)
  return `![${alt}](benchmarks/${name}.svg)`
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(heads), `|${heads.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

export const verdict = (holds: boolean, goal: string) =>
  holds ? 'holds' : `**does not hold** (${goal})`
export const percent = (ratio: number) => (ratio * 100).toFixed(1)
export const percentWithin = ({ mean, within, count }: Estimate) =>
  count < 2 ? `${percent(mean)} (1 seed)` : `${percent(mean)} ± ${percent(within)}`
export const seconds = (ms: number) => `${(ms / 1000).toFixed(ms < 9_950 ? 2 : 0)} s`
export const whole = (value: number) => String(Math.round(value))
