/**
 * Results of runs, kept in files so that a table may be made in parts and after an interruption:
 * one file for each policy, one line for each run.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Metrics } from '#simulator/metrics.ts'

type Quartet = readonly [mean: number, p50: number, p95: number, p99: number]

/** What is kept of a run. */
export interface Figures {
  readonly requests: number
  readonly attainment: number
  readonly goodput: number
  readonly ttftMs: Quartet
  readonly tpotMs: Quartet
  readonly msPerToken: Quartet
  readonly hits: number
  readonly preemptions: number
  readonly rejected: number
  /** Attainment of each model, where a trace asks for several. */
  readonly models?: Readonly<Record<string, number>>
}

const folder = fileURLToPath(new URL('./results/', import.meta.url))

export class Results {
  readonly #files = new Map<string, Map<string, unknown>>()
  readonly #changed = new Set<string>()

  /** Reads what there is, but for the files that are to be made anew. */
  constructor(fresh: readonly string[]) {
    mkdirSync(folder, { recursive: true })
    for (const file of readdirSync(folder)) {
      const name = file.replace(/\.json$/, '')
      if (name === file || fresh.includes(name)) continue
      const values = JSON.parse(readFileSync(folder + file, 'utf8')) as Record<string, unknown>
      this.#files.set(name, new Map(Object.entries(values)))
    }
  }

  get<Value>(file: string, key: string): Value | undefined {
    return this.#files.get(file)?.get(key) as Value | undefined
  }

  /** Of a file, the first there is. */
  keys(file: string): readonly string[] {
    return [...(this.#files.get(file)?.keys() ?? [])]
  }

  set(file: string, key: string, value: unknown): void {
    const values = this.#files.get(file) ?? new Map<string, unknown>()
    this.#files.set(file, values.set(key, value))
    this.#changed.add(file)
  }

  write(): void {
    for (const file of this.#changed) {
      const lines = [...(this.#files.get(file) ?? [])]
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
      writeFileSync(`${folder}${file}.json`, `{\n${lines.join(',\n')}\n}\n`)
    }
    this.#changed.clear()
  }
}

export function figuresOf(metrics: Metrics): Figures {
  const four = ({ mean, p50, p95, p99 }: Metrics['ttftMs']): Quartet => [
    short(mean),
    short(p50),
    short(p95),
    short(p99),
  ]
  const models = Object.entries(metrics.attainmentByModel)
    .map(([model, attainment]) => [model, short(attainment)] as const)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
  return {
    requests: metrics.requests,
    attainment: short(metrics.attainment),
    goodput: short(metrics.goodput),
    ttftMs: four(metrics.ttftMs),
    tpotMs: four(metrics.tpotMs),
    msPerToken: four(metrics.msPerToken),
    hits: short(metrics.prefixHitRatio),
    preemptions: metrics.preemptions,
    rejected: metrics.rejected,
    ...(models.length > 1 && { models: Object.fromEntries(models) }),
  }
}

/** Five digits: more would only fill the repository. */
export const short = (value: number) => Number(value.toPrecision(5))
