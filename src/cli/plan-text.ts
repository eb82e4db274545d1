/** A plan as a person reads it, like a diff: what starts, what ends, what moves, and what it makes. */

import { durationText, memoryCell } from '#cli/quantity.ts'
import { barLegend, stackedBar } from '#cli/stacked-bar.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import { memoryText } from '#core/memory-text.ts'
import type { Blocker } from '#placement/fit.ts'
import type {
  Inventory,
  PlacedReplica,
  PlacementDevice,
  PlacementNode,
} from '#placement/inventory.ts'
import { offloadText } from '#placement/offload-text.ts'
import type { Plan, PlanInput, PlannedReplica, PlanStep, Unplaced } from '#placement/plan.ts'

type Start = Extract<PlanStep, { kind: 'start' }>
type Stop = Extract<PlanStep, { kind: 'stop' }>

export function planText(input: PlanInput, plan: Plan): string {
  const moves = movesOf(plan)
  const movedStops = new Set(moves.values())
  const changes = plan.steps.flatMap((step) => {
    if (step.kind === 'start') return startLines(input, step, moves.get(step) ?? null)
    return movedStops.has(step) ? [] : stopLines(input, step)
  })
  return [
    ...wrapped(summary(input, plan, moves.size), terminalWidth, '  '),
    ...(input.frozen
      ? ['', 'More than half of the nodes are lost at once: nothing is stopped or moved.']
      : []),
    ...(changes.length > 0 ? ['', ...changes] : []),
    ...section(keptLines(input, plan)),
    ...section(deviceLines(input, plan)),
    ...plan.unplaced.flatMap((one) => ['', ...unplacedLines(one)]),
  ].join('\n')
}

/** A start whose deployment has a stop that waits for it. */
function movesOf({ steps }: Plan): Map<Start, Stop> {
  const moves = new Map<Start, Stop>()
  const stops = steps.filter((step) => step.kind === 'stop')
  for (const step of steps) {
    if (step.kind !== 'start') continue
    const taken = new Set(moves.values())
    const stop = stops.find(
      (one) => one.replica.deployment === step.replica.deployment && !taken.has(one),
    )
    if (stop !== undefined) moves.set(step, stop)
  }
  return moves
}

function summary({ deployments }: PlanInput, { id, steps, unplaced }: Plan, moves: number): string {
  const starts = steps.filter(({ kind }) => kind === 'start').length - moves
  const stops = steps.filter(({ kind }) => kind === 'stop').length - moves
  const parts = [
    ...(starts > 0 ? [`${counted(starts, 'replica')} to start`] : []),
    ...(moves > 0 ? [`${moves} to move`] : []),
    ...(stops > 0 ? [`${stops} to stop`] : []),
    ...(unplaced.length > 0
      ? [
          `${counted(
            unplaced.reduce((sum, { missing }) => sum + missing, 0),
            'replica',
          )} without a place`,
        ]
      : []),
  ]
  if (parts.length > 0) return `${paint('bold', id)}: ${parts.join(', ')}.`
  const all = counted(deployments.length, 'deployment')
  return deployments.length === 0
    ? 'No deployment is wanted, and nothing is to be done.'
    : `Nothing is to be done: ${all}, and everything is where it should be.`
}

function startLines(input: PlanInput, { replica, because }: Start, moved: Stop | null): string[] {
  const { inventory } = input
  const title =
    moved === null
      ? `${paint('green', '+')} ${paint('bold', replica.id)}  ${placeText(inventory, replica.setting)}`
      : `${paint('yellow', '~')} ${paint('bold', replica.id)}  ${placeText(inventory, replica.setting)}, in place of ${moved.replica.id} on ${nodeName(inventory, moved.replica.node)}`
  const [first = '', ...rest] = wrapped(title, terminalWidth, '    ')
  return [
    first,
    ...rest,
    ...indented(settingText(replica)),
    ...indented(memoryWords(replica)),
    ...indented(because),
    ...(moved === null ? [] : indented(moved.because)),
    ...(moved?.interrupts === true ? indented(interruptText(moved)) : []),
    ...replica.setting.settings.flatMap(({ set, why }) => indented(`with ${set}: ${why}`)),
  ]
}

function stopLines({ inventory }: PlanInput, step: Stop): string[] {
  const { replica, because, evictedFor } = step
  const title = `${paint('red', '-')} ${paint('bold', replica.id)}  ${placeText(inventory, replica)}`
  return [
    ...wrapped(title, terminalWidth, '    '),
    ...indented(evictedFor === null ? because : `${because} (its place is for ${evictedFor})`),
    ...(step.interrupts ? indented(interruptText(step)) : []),
  ]
}

function interruptText({ replica }: Stop): string {
  return `nobody answers for ${replica.deployment} until another one has started`
}

/** `elminster, NVIDIA GeForce RTX 2070`. */
function placeText(
  inventory: Inventory,
  at: { readonly node: string; readonly devices: readonly string[] },
): string {
  const node = inventory.nodes.find(({ id }) => id === at.node)
  const names = at.devices.map((id) => shortName(node, id))
  const same = names.every((name) => name === names[0])
  const devices = same && names.length > 1 ? `${names.length} × ${names[0]}` : names.join(' + ')
  return `on ${node?.name ?? at.node}, ${devices}`
}

function shortName(node: PlacementNode | undefined, id: string): string {
  const device = node?.devices.find((one) => one.id === id)?.device
  return device === undefined ? id : deviceTitle(device.name)
}

/** What stands on the box, without the maker's words around it. */
export function deviceTitle(name: string): string {
  return name
    .replace(/\((R|TM)\)/gi, '')
    .replace(/^(NVIDIA GeForce|NVIDIA|AMD|Intel|Advanced Micro Devices, Inc\. \[AMD\/ATI\]) +/i, '')
    .replace(/ (Graphics|Corporation)\b.*$/i, '')
    .trim()
    .slice(0, 28)
}

function settingText({ setting, speed }: PlannedReplica): string {
  const { engine, backend, kind, source, contextTokens, slots, tensorParallel } = setting
  const { kvCacheType, offload } = setting
  const parts = [
    `${engine} on ${backend}${kind === 'container' ? ' in a container' : ''}`,
    source.replace(/^hf:/, ''),
    ...(contextTokens > 0 ? [`context ${contextTokens}`] : []),
    counted(slots, 'slot'),
    ...(tensorParallel > 1 ? [`over ${tensorParallel} devices`] : []),
    ...(kvCacheType === 'f16' ? [] : [`KV cache in ${kvCacheType}`]),
    ...(offload === null ? [] : [`${offloadText(offload)} on the CPU`]),
    ...(speed.decodeTokensPerSecond === null
      ? []
      : [`${rateText(speed.decodeTokensPerSecond)} tokens/s (${rateBasis[speed.basis]})`]),
    ...(speed.startMs === null ? [] : [`ready in about ${durationText(speed.startMs)}`]),
  ]
  return parts.join(', ')
}

/** A figure that nobody has measured there is not written as one that somebody has. */
const rateBasis = {
  measured: 'measured',
  similar: 'published of such devices',
  bandwidth: 'a first guess',
  unknown: 'a first guess',
} as const

/** What the memory goes to, so that a person can add it up. */
function memoryWords({ memory }: PlannedReplica): string {
  const sums = new Map<string, number>()
  for (const { terms } of memory.devices) {
    for (const { name, bytes } of terms) sums.set(name, (sums.get(name) ?? 0) + bytes)
  }
  const total = memory.devices.reduce((sum, { needBytes }) => sum + needBytes, 0)
  const parts = [...sums]
    .filter(([, bytes]) => Math.abs(bytes) >= 2 ** 20)
    .map(([name, bytes]) => `${name} ${memoryText(bytes)}`)
  const host = memory.hostBytes >= 2 ** 20 ? `; ${memoryText(memory.hostBytes)} of the machine` : ''
  return `${memoryText(total)}: ${parts.join(', ')}${host}`
}

function keptLines(input: PlanInput, { replicas }: Plan): string[] {
  return replicas.flatMap(({ id, keeps, setting }) =>
    keeps === null
      ? []
      : [
          ...wrapped(`= ${id}  ${placeText(input.inventory, setting)}`, terminalWidth, '    '),
          ...indented(staysText(keeps, input.frozen)),
        ],
  )
}

function staysText({ ready }: PlacedReplica, frozen: boolean): string {
  if (frozen) return 'stays: nothing is moved while most nodes are lost'
  return ready
    ? 'stays: it runs there, and no other place is worth a move'
    : 'stays: it is starting there already'
}

const barWidth = 24

/** Every device that something is or will be on: what stays, what comes, what others hold. */
function deviceLines({ inventory }: PlanInput, plan: Plan): string[] {
  const rows = inventory.nodes.flatMap((node) =>
    node.devices.flatMap((device) => {
      const row = deviceRow(node, device, inventory, plan)
      return row === null ? [] : [row]
    }),
  )
  if (rows.length === 0) return []
  const nameWidth = Math.max(...rows.map(({ title }) => title.length))
  return [
    ...rows.map(({ title, bar, words }) => `${title.padEnd(nameWidth)}  ${bar}  ${words}`),
    `memory: ${barLegend('stays', 'comes', 'others')}`,
  ]
}

function deviceRow(
  node: PlacementNode,
  { id, device, foreignBytes }: PlacementDevice,
  inventory: Inventory,
  plan: Plan,
): { readonly title: string; readonly bar: string; readonly words: string } | null {
  const there = plan.replicas.filter(
    ({ setting }) => setting.node === node.id && setting.devices.includes(id),
  )
  const manual = inventory.replicas.filter(
    (one) => one.deployment === null && one.node === node.id && one.devices.includes(id),
  )
  if (there.length === 0 && manual.length === 0) return null
  const needs = (replicas: readonly PlannedReplica[]) =>
    replicas.reduce(
      (sum, { memory }) => sum + (memory.devices.find((one) => one.device === id)?.needBytes ?? 0),
      0,
    )
  const stays =
    needs(there.filter(({ keeps }) => keeps !== null)) +
    manual.reduce((sum, replica) => sum + heldBytes(replica, id), 0)
  const comes = needs(there.filter(({ keeps }) => keeps === null))
  const total = Math.max(device.memoryBytes ?? 0, device.memory.limitBytes ?? 0, 1)
  const title = `${node.name.slice(0, 16)} ${deviceTitle(device.name).slice(0, 20)}`
  return {
    title,
    bar: stackedBar([stays, comes, foreignBytes], total, barWidth),
    words: `${memoryCell(stays + comes)} of ${memoryCell(total)}`,
  }
}

function heldBytes({ claimedBytes, measuredBytes }: PlacedReplica, id: string): number {
  return Math.max(claimedBytes[id] ?? 0, measuredBytes?.[id] ?? 0)
}

export function unplacedLines({ deployment, missing, because, waitsFor }: Unplaced): string[] {
  return [
    `${paint('red', '!')} ${paint('bold', deployment)}: ${counted(missing, 'replica')} without a place`,
    ...unplacedBecause(because, deployment),
    ...waitsFor.flatMap((what) => indented(`waits for ${what}`)),
  ]
}

const blockersShown = 5

/** A recording is no machine: it is only told of where there is nothing else. */
export function unplacedBecause(
  because: readonly Parameters<typeof blockerLines>[0][],
  deployment: string,
): string[] {
  const real = because.filter(({ check }) => check !== 'recording')
  const told = real.length > 0 ? real : because
  // A line that says "1 more" takes the place of the one.
  if (told.length <= blockersShown + 1) return told.flatMap((one) => blockerLines(one))
  const more = `and ${told.length - blockersShown} more: "motley why-not ${deployment} <node>" tells all of a node`
  return [...told.slice(0, blockersShown).flatMap((one) => blockerLines(one)), ...indented(more)]
}

/** What stands in the file and does nothing. */
export function problemLines(problems: readonly string[]): string[] {
  if (problems.length === 0) return []
  return [
    '',
    ...problems.flatMap((text) =>
      wrapped(`${paint('yellow', '?')} ${text}`, terminalWidth, '    '),
    ),
  ]
}

/** One of a kept plan may be of another version. */
type ToldBlocker = Omit<Blocker, 'code' | 'engines'> & {
  readonly code?: string | undefined
  readonly engines?: readonly string[] | undefined
}

/** By the same name everywhere: what was found, else the check that said so. */
export function blockerLines({
  check,
  code,
  what,
  unlockedBy,
  on = [],
  engines = [],
}: ToldBlocker): string[] {
  const how = engines.length === 0 ? '' : ` with ${engines.join(' and ')}`
  const where = on.length === 0 ? how : `${how} on ${namesText(on)}`
  const mend =
    unlockedBy === null
      ? []
      : wrapped(`      to change that: ${unlockedBy}`, terminalWidth, '        ')
  return [...wrapped(`    ${code ?? check}${where}: ${what}`, terminalWidth, '      '), ...mend]
}

const namesShown = 4

/** Of a large fleet the first of them stand for all. */
function namesText(names: readonly string[]): string {
  const more = names.length - namesShown
  const shown = names.slice(0, namesShown).join(', ')
  return more > 0 ? `${shown} and ${more} more` : shown
}

function indented(text: string): string[] {
  return wrapped(`    ${text}`, terminalWidth, '      ')
}

function section(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...lines]
}

function nodeName({ nodes }: Inventory, id: string): string {
  return nodes.find((node) => node.id === id)?.name ?? id
}

function rateText(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond))
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
