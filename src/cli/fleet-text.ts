/** Nodes, replicas and measurements as text of 80 columns. */
import { z } from 'zod'
import { agoText } from '#cli/ago-text.ts'
import { lastEnd, lastEndText } from '#cli/last-end-text.ts'
import { bytesText, memoryCell } from '#cli/quantity.ts'
import { sharedMachines } from '#cli/shared-machines.ts'
import { shortEngine } from '#cli/status-text.ts'
import { tableLines } from '#cli/table.ts'
import { unheardState, unheardText } from '#cli/unheard-text.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

const shownDevice = z.object({
  vendor: z.string(),
  name: z.string(),
  memoryBytes: z.number().nullable(),
})

const shownEngine = z.object({
  port: z.number(),
  engine: z.string(),
  version: z.string().nullable(),
  models: z.array(z.string()),
  state: z.string(),
})

const shownFound = shownEngine.extend({ attachedAs: z.string().nullable() })

const shownNode = z.object({
  id: z.string(),
  name: z.string(),
  presence: z.string(),
  draining: z.boolean(),
  silentMs: z.number().nullable(),
  inventory: z
    .object({
      devices: z.array(shownDevice),
      isRecording: z.boolean().default(false),
      machine: z.string().optional(),
    })
    .nullable(),
  /** A controller of before this could be seen says nothing. */
  found: z.array(shownFound).default([]),
})

export const nodesAnswer = z.object({ nodes: z.array(shownNode), frozen: z.boolean() })

/** The CPU of a chip that is a GPU too has the same name. */
export function deviceText(
  { name, vendor }: { readonly name: string; readonly vendor: string },
  all: readonly { readonly name: string }[],
): string {
  const isAlone = all.filter((other) => other.name === name).length < 2
  return vendor === 'cpu' && !isAlone ? `${name} (CPU)` : name
}

export function nodesText({ nodes, frozen }: z.infer<typeof nodesAnswer>): string {
  if (nodes.length === 0)
    return 'No machine has joined yet: "motley token create" says how one does.'
  const rowsOfNodes = nodes.map(({ name, presence, draining, silentMs, inventory }) => {
    const shown = inventory?.isRecording === true && presence === 'ready' ? 'recording' : presence
    const state = draining ? 'draining' : shown
    const heard = silentMs === null ? 'never' : `${agoText(silentMs)} ago`
    const devices = inventory?.devices ?? []
    const lines = devices.map((device) => [
      deviceText(device, devices),
      device.memoryBytes === null ? '?' : memoryCell(device.memoryBytes),
    ])
    const [first = ['-', ''], ...others] = lines
    return [[name, state, heard, ...first], ...others.map((line) => ['', '', '', ...line])]
  })
  const [titles = '', ...lines] = tableLines(
    [
      { title: 'NODE', maxWidth: 16 },
      { title: 'STATE' },
      { title: 'HEARD' },
      { title: 'DEVICE', maxWidth: 30 },
      { title: 'MEMORY', align: 'right' },
    ],
    rowsOfNodes.flat(),
  )
  const table = [
    titles,
    ...nodes.flatMap(({ name, found }, index) => [
      ...lines.splice(0, rowsOfNodes[index]?.length ?? 0),
      ...found.map((engine) => `  ${foundText(name, engine, found)}`),
    ]),
  ]
  const warning = 'More than half of the nodes are lost at once: nothing is deleted or moved.'
  const recordings = nodes.some(({ inventory }) => inventory?.isRecording === true)
  const meaning = 'A recording shows what was recorded of a machine; nothing runs on it.'
  const remarks = [
    ...(recordings ? [meaning] : []),
    ...sharedMachines(nodes).map((text) => `! ${text}`),
    ...(frozen ? [warning] : []),
  ]
  return [...table, ...remarks.flatMap((text) => ['', ...wrapped(text, terminalWidth, '  ')])].join(
    '\n',
  )
}

/** What somebody else runs there, and how it is attached, or as what it is. */
function foundText(
  node: string,
  engine: z.infer<typeof shownFound>,
  all: readonly z.infer<typeof shownFound>[],
): string {
  const { port, state, attachedAs } = engine
  const isOnly = all.filter((other) => other.engine === engine.engine).length === 1
  const place = `${node}/${isOnly ? engine.engine : port}`
  const what = `${titleOf(engine)} on port ${port}${state === 'ready' ? '' : `, ${state}`}`
  const use = attachedAs === null ? `"motley attach ${place}" uses it` : `attached as ${attachedAs}`
  return `${what}: ${modelsText(engine.models)}; ${use}`
}

function titleOf({ engine, version }: { engine: string; version: string | null }): string {
  return version === null ? engine : `${engine} ${version}`
}

const modelsShown = 3

function modelsText(models: readonly string[]): string {
  if (models.length === 0) return 'no model yet'
  const more = models.length - modelsShown
  const shown = models.slice(0, modelsShown).join(', ')
  return more > 0 ? `${shown} and ${more} more` : shown
}

export const attachedAnswer = z.object({
  id: z.string(),
  engine: z.string(),
  port: z.number(),
  nodeName: z.string(),
  presence: z.string(),
  found: shownEngine.nullable(),
})

export const attachedListAnswer = z.object({ endpoints: z.array(attachedAnswer) })

export function attachedText({ id, engine, found }: z.infer<typeof attachedAnswer>): string {
  const what = found === null ? engine : titleOf(found)
  const models = found === null || found.models.length === 0 ? null : modelsText(found.models)
  return [
    `${id} is an endpoint now: ${what}${models === null ? '' : `, which serves ${models}`}`,
    `its owner starts and stops it; "motley attach --remove ${id}" uses it no longer`,
  ].join('\n')
}

export const replicaAnswer = z.object({
  spec: z.object({
    id: z.string(),
    model: z.string(),
    source: z.string(),
    contextTokens: z.number().nullable(),
    slots: z.number().nullable(),
  }),
  nodeName: z.string(),
  presence: z.string(),
  /** Of its node; an earlier controller does not tell. */
  silentMs: z.number().nullish(),
  draining: z.boolean(),
  reported: z
    .object({
      state: z.string(),
      detail: z.string().nullable(),
      engine: z.string().nullable(),
      backend: z.string().nullable(),
      pid: z.number().nullable(),
      port: z.number().nullable(),
      restarts: z.number(),
      lastEnd,
      progress: z.object({ doneBytes: z.number(), totalBytes: z.number().nullable() }).nullable(),
      alarms: z.array(z.string()),
    })
    .nullable(),
  memory: z
    .object({ devices: z.array(z.object({ name: z.string(), takenBytes: z.number() })) })
    .nullable()
    .default(null),
})
type ShownReplica = z.infer<typeof replicaAnswer>

export const replicasAnswer = z.object({ replicas: z.array(replicaAnswer) })

export function replicasText({ replicas }: z.infer<typeof replicasAnswer>): string {
  if (replicas.length === 0) return 'No replica runs: "motley replica start" starts one.'
  const table = tableLines(
    [
      { title: 'REPLICA' },
      { title: 'NODE', maxWidth: 10 },
      { title: 'STATE', maxWidth: 13 },
      { title: 'ENGINE', maxWidth: 15 },
      { title: 'ON', maxWidth: 10 },
    ],
    replicas.map((replica) => [
      shortId(replica.spec.id),
      replica.nodeName,
      stateText(replica),
      shortEngine(replica.reported?.engine) ?? '-',
      replica.reported?.backend ?? '-',
    ]),
  )
  const alarms = replicas.flatMap(({ spec, reported }) =>
    (reported?.alarms ?? []).map((alarm) => `! ${spec.id}: ${alarm}`),
  )
  const details = replicas.flatMap((replica) => {
    const { spec, reported } = replica
    const unheard = unheardText(replica)
    if (unheard !== null) return [`  ${spec.id}: ${unheard}`]
    const times = reported === null || reported.restarts === 0 ? null : restartsText(reported)
    const words = [times, reported?.detail].filter(Boolean)
    return words.length === 0 ? [] : [`  ${spec.id}: ${words.join(' ')}`]
  })
  const more = [...alarms, ...details].flatMap((line) => wrapped(line, terminalWidth, '  '))
  return [...table, ...(more.length > 0 ? [''] : []), ...more].join('\n')
}

function restartsText({ restarts }: { readonly restarts: number }): string {
  return restarts === 1 ? 'Restarted once.' : `Restarted ${restarts} times.`
}

const idWidthMax = 24

/** Its end tells it from others of the same model. */
function shortId(id: string): string {
  return id.length > idWidthMax ? `${id.slice(0, idWidthMax - 10)}…${id.slice(-9)}` : id
}

export function replicaInfoText(replica: ShownReplica, nowMs: number): string {
  const { spec, nodeName, reported } = replica
  const facts: readonly (readonly [string, string | null])[] = [
    ['state', stateText(replica)],
    ['node', unheardText(replica) ?? nodeName],
    ['model', spec.model],
    ['weights', spec.source],
    ['engine', reported?.engine ?? null],
    ['backend', reported?.backend ?? null],
    ['process', reported?.pid == null ? null : `${reported.pid} on port ${reported.port}`],
    ['restarts', reported === null ? null : String(reported.restarts)],
    ['last end', reported === null ? null : lastEndText(reported, nowMs)],
    ...(replica.memory?.devices ?? []).map(
      ({ name, takenBytes }) => ['memory', `${bytesText(takenBytes)} on ${name}`] as const,
    ),
    ['why', reported?.detail ?? null],
    ...(reported?.alarms ?? []).map((alarm) => ['alarm', alarm] as const),
  ]
  const lines = facts.flatMap(([name, value]) =>
    value === null
      ? []
      : wrapped(`  ${name.padEnd(10)}${value}`, terminalWidth, ' '.repeat('  '.length + 10)),
  )
  return [spec.id, ...lines].join('\n')
}

export function stateText({ presence, draining, reported }: ShownReplica): string {
  const unheard = unheardState({ presence })
  if (unheard !== null) return unheard
  if (reported === null) return draining ? 'node draining' : 'wanted'
  const { state, progress } = reported
  if (state !== 'pulling' || progress === null) return state
  const { doneBytes, totalBytes } = progress
  if (totalBytes === null || totalBytes === 0) return state
  return `pulling ${Math.floor((doneBytes / totalBytes) * 100)} %`
}

const measured = z.object({
  engine: z.string(),
  engineVersion: z.string().nullable(),
  model: z.string(),
  quantization: z.string().nullable(),
  promptTokensPerSecond: z.number(),
  decodeTokensPerSecond: z.number(),
  byConcurrency: z.array(z.object({ requests: z.number(), tokensPerSecond: z.number() })),
  knee: z.number(),
})

export const benchmarkAnswer = z.object({ now: measured, before: measured.nullable() })

/** A difference below this is noise of a machine that does other things too. */
const changeWorthTelling = 0.1

export function benchmarkText({ now, before }: z.infer<typeof benchmarkAnswer>): string {
  const rate = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} tokens/s`
  const change = (value: number, earlier: number | undefined): string => {
    if (earlier === undefined || earlier === 0) return ''
    const ratio = value / earlier - 1
    if (Math.abs(ratio) < changeWorthTelling) return '  (as before)'
    const percent = `${Math.abs(Math.round(ratio * 100))} %`
    return ratio < 0 ? `  (${percent} SLOWER than before)` : `  (${percent} faster than before)`
  }
  const build = [now.engine, now.engineVersion, now.quantization].filter(Boolean).join(' ')
  return [
    `${now.model} on ${build}`,
    `  reads prompts    ${rate(now.promptTokensPerSecond)}${change(now.promptTokensPerSecond, before?.promptTokensPerSecond)}`,
    `  writes answers   ${rate(now.decodeTokensPerSecond)}${change(now.decodeTokensPerSecond, before?.decodeTokensPerSecond)}`,
    '',
    ...tableLines(
      [
        { title: 'REQUESTS AT A TIME', align: 'right' },
        { title: 'TOKENS/S IN ALL', align: 'right' },
      ],
      now.byConcurrency.map(({ requests, tokensPerSecond }) => [
        String(requests),
        String(Math.round(tokensPerSecond)),
      ]),
    ),
    '',
    `More than ${now.knee} at a time bring little.`,
  ].join('\n')
}
