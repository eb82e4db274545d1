/** The deployments in `motley status`: what is wanted of each, and how much of it can answer. */
import { z } from 'zod'
import { takesRequests } from '#cli/status-text.ts'
import { type Column, tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { unheardText } from '#cli/unheard-text.ts'
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
        spec: z.looseObject({ id: z.string() }),
        nodeName: z.string(),
        placed: z.looseObject({ deployment: z.string() }).nullish(),
        reported: z.looseObject({ state: z.string() }).nullish(),
        presence: z.string(),
        /** Of its node; an earlier controller does not tell. */
        silentMs: z.number().nullish(),
      }),
    )
    .default([]),
})

export interface DeploymentStatus {
  readonly name: string
  /** What clients ask for. */
  readonly model: string
  readonly wanted: number
  /** Those that take requests now, as their agent and the gateway tell. */
  readonly ready: number
  /** Its replicas on nodes that are silent or lost: how those are now, nobody knows. */
  readonly unheard: readonly UnheardReplica[]
}

export interface UnheardReplica {
  readonly replica: string
  readonly nodeName: string
  readonly presence: string
  /** Null where its node was not heard since the controller started; an earlier controller does not tell. */
  readonly silentMs: number | null | undefined
}

/**
 * `placement`: of GET /admin/v1/placement; none where there is no controller. `endpoints`: what the
 * gateway knows, which notices an agent that died seconds before its silence tells the controller.
 */
export function deploymentStatuses(
  placement: unknown,
  endpoints: readonly { readonly name: string; readonly state: string }[],
): DeploymentStatus[] {
  const { deployments, standings, replicas } = placementAnswer.parse(placement)
  const failed = new Set(endpoints.flatMap((one) => (takesRequests(one.state) ? [] : [one.name])))
  return deployments.map(({ name, model }) => {
    const own = replicas.filter(({ placed }) => placed?.deployment === name)
    const ready = own.filter(
      ({ spec, presence, reported }) =>
        presence === 'ready' && reported?.state === 'ready' && !failed.has(spec.id),
    )
    const unheard = own.filter(({ presence }) => presence !== 'ready')
    return {
      name,
      model,
      wanted: standings[name]?.wanted ?? 0,
      ready: ready.length,
      unheard: unheard.map(({ spec, nodeName, presence, silentMs }) => ({
        replica: spec.id,
        nodeName,
        presence,
        silentMs,
      })),
    }
  })
}

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
  const unheard = deployments.flatMap((one) =>
    one.unheard.flatMap((replica) =>
      wrapped(`  ${replica.replica}: ${unheardText(replica) ?? ''}`, terminalWidth, '    '),
    ),
  )
  const isShort = deployments.some(({ ready, wanted }) => ready < wanted)
  const hint = isShort ? ['"motley why <deployment>" says what the others wait for.'] : []
  return ['', paint('bold', titles), ...lines, ...unheard, ...hint]
}
