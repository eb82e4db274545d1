/** What `motley plan --what-if` says around a plan: what was assumed, and what it makes of the plan without. */
import { blockerLines, deviceTitle } from '#cli/plan-text.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { FitReplica } from '#placement/fit.ts'
import type { PlacementNode } from '#placement/inventory.ts'
import type { Plan, PlanInput } from '#placement/plan.ts'
import { whyNot } from '#placement/why-not.ts'

export interface Planned {
  readonly input: PlanInput
  readonly plan: Plan
}

export function supposedHeading(supposed: readonly string[]): string[] {
  if (supposed.length === 0) return []
  const text = `What if: ${supposed.join('; ')}. Nothing is changed; the rest is as it is now.`
  return [...wrapped(text, terminalWidth, '  ').map((line) => paint('bold', line)), '']
}

/** That nothing comes of it, and why nobody uses what was added. */
export function supposedLines(before: Planned, now: Planned, fitReplica: FitReplica): string[] {
  const same = outcomeOf(before.plan) === outcomeOf(now.plan)
  const lines = [
    ...(same ? ['It makes no difference: without it, everything would be in the same place.'] : []),
    ...lostForNothing(before, now),
  ]
  return [
    ...lines.flatMap((line) => ['', ...wrapped(line, terminalWidth, '  ')]),
    ...addedDevices(before, now).flatMap((added) => unusedLines(added, now, fitReplica)),
  ]
}

/** Where each replica would be and how it is set up, and what has no place. */
function outcomeOf({ replicas, unplaced }: Plan): string {
  return JSON.stringify([
    replicas.map(({ id, setting }) => [id, setting]),
    unplaced.map(({ deployment, missing }) => [deployment, missing]),
  ])
}

function lostForNothing({ input, plan }: Planned, now: Planned): string[] {
  return changedNodes(input, now.input).flatMap((node) => {
    if (node.presence !== 'lost') return []
    const was = input.inventory.nodes.find(({ id }) => id === node.id)
    if (was?.isRecording === true) return [`${node.name} is a recording, and ran nothing.`]
    if (was?.presence === 'lost') return [`${node.name} is lost already.`]
    const used = plan.replicas.some(({ setting }) => setting.node === node.id)
    const held = input.inventory.replicas.some((one) => one.node === node.id)
    return used || held ? [] : [`Nothing is planned on ${node.name}.`]
  })
}

function changedNodes(input: PlanInput, now: PlanInput): PlacementNode[] {
  return now.inventory.nodes.filter((node) => !input.inventory.nodes.includes(node))
}

interface Added {
  readonly node: PlacementNode
  readonly devices: readonly string[]
}

function addedDevices({ input }: Planned, now: Planned): Added[] {
  return changedNodes(input, now.input).flatMap((node) => {
    const was = input.inventory.nodes.find(({ id }) => id === node.id)
    const there = new Set(was?.devices.map(({ id }) => id))
    const devices = node.devices.map(({ id }) => id).filter((id) => !there.has(id))
    return devices.length === 0 ? [] : [{ node, devices }]
  })
}

const reasonsShown = 4
const blockersShown = 3

/** Deployments that use nothing of what was added; those for the same reasons are told together. */
function unusedLines(added: Added, { input, plan }: Planned, fit: FitReplica): string[] {
  const { node, devices } = added
  const elsewhere = input.deployments.filter(
    ({ name }) =>
      !plan.replicas.some(
        ({ deployment, setting }) =>
          deployment === name &&
          setting.node === node.id &&
          setting.devices.some((id) => devices.includes(id)),
      ),
  )
  const byReason = Map.groupBy(elsewhere, ({ name }) =>
    reasonLines(name, added, { input, plan }, fit).join('\n'),
  )
  const told = [...byReason].slice(0, reasonsShown).flatMap(([reason, deployments]) => {
    const [first = '', ...rest] = reason.split('\n')
    const names = deployments.map(({ name }) => name).join(', ')
    return ['', ...wrapped(`${names} ${first}`, terminalWidth, '  '), ...rest]
  })
  const more = [...byReason.values()].slice(reasonsShown).flat().length
  return more === 0 ? told : [...told, '', `${more} more use nothing of it.`]
}

/** The first line goes on after the name of the deployment. */
function reasonLines(
  deployment: string,
  { node, devices }: Added,
  { input, plan }: Planned,
  fit: FitReplica,
): string[] {
  const answer = whyNot(input, plan, fit, { deployment, node: node.id, devices })
  const there = placeText(node, devices)
  if (answer.verdict === 'refused') {
    const { blockers } = answer
    if (blockers.length === 0) return [`cannot use ${there}`]
    return [
      `cannot use ${there}:`,
      ...blockers.slice(0, blockersShown).flatMap((one) => blockerLines(one)),
    ]
  }
  const [chosen] = answer.chosen
  if (chosen === undefined) return [`could use ${there}.`]
  const at = input.inventory.nodes.find((one) => one.id === chosen.node)
  const place = at === undefined ? chosen.node : placeText(at, chosen.devices)
  const keeps = plan.replicas.some((one) => one.deployment === deployment && one.keeps !== null)
  const gap = scoreGap(answer.here?.score ?? null, chosen.score)
  const difference = gap === null ? '' : `: ${gap}`
  return [
    keeps
      ? `could use ${there}, and stays on ${place}: what runs is moved only for much more${difference}.`
      : `could use ${there}; ${place} is thought to be better${difference}.`,
  ]
}

function placeText(node: PlacementNode, devices: readonly string[]): string {
  return `${devices.map((id) => deviceNamed(node, id)).join(', ')} of ${node.name}`
}

function deviceNamed({ devices }: PlacementNode, id: string): string {
  const device = devices.find((one) => one.id === id)?.device
  return device === undefined ? id : deviceTitle(device.name)
}

type Score = Readonly<Record<string, number>> | null

/** What speaks most for the place that was chosen, in seconds of a typical answer. */
function scoreGap(here: Score, chosen: Score): string | null {
  if (here === null || chosen === null) return null
  const terms = [...new Set([...Object.keys(here), ...Object.keys(chosen)])]
  const [most] = terms
    .map((name) => ({ name, seconds: (here[name] ?? 0) - (chosen[name] ?? 0) }))
    .toSorted((one, other) => other.seconds - one.seconds)
  return most === undefined || most.seconds < 0.05
    ? null
    : `"${most.name}" counts ${most.seconds.toFixed(1)} s more there`
}
