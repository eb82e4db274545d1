/** What becomes of each model where a trace asks for several. */
import { servesModel } from '#simulator/serves-model.ts'
import type { Trace } from '#simulator/traces/trace.ts'
import type { Bench } from './bench.ts'
import { type Cell, isAsGood, modelAttainment, nearest, pairsOf } from './comparison.ts'
import { percent, table, whole } from './markdown.ts'
import { type FleetName, loads, type TraceName } from './workload.ts'

/** The one that is asked for most comes first; none where a trace names none. */
export function modelsOf({ requests }: Trace): readonly string[] {
  const byModel = [...Map.groupBy(requests, ({ model }) => model)]
  return byModel
    .toSorted(([, one], [, other]) => other.length - one.length)
    .flatMap(([model]) => model ?? [])
}

/** A paragraph each; none where a trace names no models. */
export async function modelTables(
  bench: Bench,
  fleet: FleetName,
  trace: TraceName,
): Promise<readonly string[]> {
  const { trace: asked } = await bench.workload(trace)
  const models = modelsOf(asked)
  if (models.length === 0) return []
  const endpoints = await bench.fleet(fleet)
  const bound = await bench.bound(fleet, trace)
  const each = await Promise.all(
    models.map(async (model) => ({
      model,
      endpoints: endpoints.filter((one) => servesModel(one, model)).map(({ name }) => name),
      part: asked.requests.filter((one) => one.model === model).length / asked.requests.length,
      alone: await bench.boundAlone(fleet, trace, model),
    })),
  )
  const row = (title: string, cell: (of: (typeof each)[number]) => string) => [
    title,
    ...each.map(cell),
  ]
  const facts = [
    row('endpoints', (of) => of.endpoints.join(', ')),
    row('part of the requests', ({ part }) => `${whole(100 * part)} %`),
    row('bound alone, requests/s', ({ alone }) => alone.toFixed(1)),
    ...loads.map((load) =>
      row(
        `asked for at ${load * 100} % load, of that bound`,
        ({ part, alone }) => `${whole((100 * load * bound * part) / alone)} %`,
      ),
    ),
  ]
  const kept = loads.flatMap((load) => {
    const pairs = pairsOf(bench.results, { fleet, trace, load })
    const cells = models.map((model) => {
      const measure = (cell: Cell) => modelAttainment(cell, model).mean
      const best = nearest(pairs, measure)
      if (best === null) return ['–', '–']
      const [own, other] = [measure(best.own), measure(best.cell)]
      const shown = percent(own)
      return [isAsGood(own, other) ? shown : `**${shown}**`, `${percent(other)} ${best.policy}`]
    })
    const rowOf = (title: string, at: number) => [
      `${load * 100} %`,
      title,
      ...cells.map((cell) => cell[at] ?? '–'),
    ]
    return [rowOf('fastest', 0), rowOf('best other', 1)]
  })
  return [
    `The models of \`${fleet}\`, and how much of what each could be served alone it is asked for:`,
    table(['', ...models], facts),
    'Percent of the requests of each model that keep both targets, and the policy that comes nearest with that model:',
    table(['Load', 'Policy', ...models], kept),
  ]
}
