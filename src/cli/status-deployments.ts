/** The deployments in `motley status`: what is wanted of each, and how much of it can answer. */
import { z } from 'zod'
import { type Column, tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

const recordedNode = z.looseObject({
  name: z.string(),
  inventory: z.looseObject({ isRecording: z.boolean().optional() }).nullish(),
})

/** Names of nodes that show what was recorded of a machine, of GET /admin/v1/placement. */
export const recordingsAnswer = z
  .object({ nodes: z.array(recordedNode).default([]) })
  .transform(({ nodes }) =>
    nodes.flatMap(({ name, inventory }) => (inventory?.isRecording === true ? [name] : [])),
  )

export function recordingLines(names: readonly string[]): string[] {
  if (names.length === 0) return []
  const what = names.length === 1 ? 'is a recording of a machine' : 'are recordings of machines'
  return ['', ...wrapped(`${names.join(', ')} ${what}: nothing runs there.`, terminalWidth, '  ')]
}

const placementAnswer = z.object({
  deployments: z.array(z.looseObject({ name: z.string(), model: z.string() })).default([]),
  standings: z.record(z.string(), z.looseObject({ wanted: z.number() })).default({}),
  replicas: z
    .array(
      z.looseObject({
        placed: z.looseObject({ deployment: z.string() }).nullish(),
        reported: z.looseObject({ state: z.string() }).nullish(),
        presence: z.string(),
      }),
    )
    .default([]),
})

export interface DeploymentStatus {
  readonly name: string
  /** What clients ask for. */
  readonly model: string
  readonly wanted: number
  readonly ready: number
}

/** Of GET /admin/v1/placement; none where there is no controller. */
export const deploymentsAnswer = placementAnswer.transform(
  ({ deployments, standings, replicas }): readonly DeploymentStatus[] => {
    const ready = replicas.filter(
      (one) => one.presence === 'ready' && one.reported?.state === 'ready',
    )
    return deployments.map(({ name, model }) => ({
      name,
      model,
      wanted: standings[name]?.wanted ?? 0,
      ready: ready.filter(({ placed }) => placed?.deployment === name).length,
    }))
  },
)

const columns: readonly Column[] = [
  { title: 'DEPLOYMENT', maxWidth: 24 },
  { title: 'MODEL', maxWidth: 34 },
  { title: 'READY', align: 'right' },
  { title: 'WANTED', align: 'right' },
]

export function deploymentLines(deployments: readonly DeploymentStatus[]): string[] {
  if (deployments.length === 0) return []
  const rows = deployments.map((one) => [one.name, one.model, `${one.ready}`, `${one.wanted}`])
  const [titles = '', ...lines] = tableLines(columns, rows)
  const isShort = deployments.some(({ ready, wanted }) => ready < wanted)
  const hint = isShort ? ['"motley why <deployment>" says what the others wait for.'] : []
  return ['', paint('bold', titles), ...lines, ...hint]
}
