/**
 * What holds for every plan, whatever the fleet: judged by looking at the plan alone, with nothing of
 * the planner but its answer.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Deployment, priorities } from '#core/deployment.ts'
import type { Inventory, PlacedReplica, PlacementNode } from '#placement/inventory.ts'
import type { Plan, PlanInput } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import { evenFit, gibibyte } from '#testing/placement-input.ts'
import { anyFleet, fleetText } from '#testing/random-fleet.ts'

const plan = createPlanner(evenFit)

/** FLEETS=100000 looks longer; FLEET_SEED repeats a run that failed. */
const fleets = Number(process.env['FLEETS'] ?? 10_000)
const seed = Number(process.env['FLEET_SEED'] ?? 20_261_128)
const file = 'src/placement/planner/planner-properties.test.ts'

/** Checks every plan of many fleets; a failure prints the fleet and the command that repeats it. */
function holds(check: (input: PlanInput, made: Plan) => void, share = 1): void {
  const numRuns = Math.ceil(fleets * share)
  const outcome = fc.check(
    fc.property(anyFleet(plan), (input) => check(input, plan(input))),
    { seed, numRuns },
  )
  if (!outcome.failed) return
  const again = `FLEET_SEED=${seed} FLEETS=${fleets} npx vitest run ${file}`
  const [fleet] = outcome.counterexample ?? []
  throw new Error(
    [
      `after ${outcome.numRuns} fleets; again with`,
      again,
      fleet === undefined ? '' : fleetText(fleet),
      String(outcome.errorInstance),
    ].join('\n'),
  )
}

test('every plan keeps its promises', { timeout: 600_000 }, () => {
  holds((input, made) => {
    memoryIsNeverPromisedTwice(input, made)
    noTaintWithoutToleration(input, made)
    priorityIsNeverInverted(input, made)
    theLastOneThatAnswersStaysUntilAnotherDoes(input, made)
    if (input.frozen) expect(made.steps.filter(({ kind }) => kind === 'stop')).toEqual([])
    const applied = { ...input, inventory: applyPlan(input.inventory, made) }
    expect(plan(applied).steps).toEqual([])
  })
})

test('the same input makes the same plan, in whatever order it comes', { timeout: 600_000 }, () => {
  holds((input, made) => {
    const { inventory, deployments } = input
    const turned: Inventory = {
      ...inventory,
      nodes: inventory.nodes.toReversed(),
      replicas: inventory.replicas.toReversed(),
    }
    const other = plan({ ...input, inventory: turned, deployments: deployments.toReversed() })
    expect(other.id).toBe(made.id)
  }, 0.1)
})

/** Step by step: whatever starts finds room beside everything that is there at that moment. */
function memoryIsNeverPromisedTwice({ inventory }: PlanInput, made: Plan): void {
  const nodes = new Map(inventory.nodes.map((node) => [node.id, node]))
  let there: readonly PlacedReplica[] = inventory.replicas
  for (const step of made.steps) {
    there = applyPlan({ ...inventory, replicas: there }, { ...made, steps: [step] }).replicas
    if (step.kind === 'stop') continue
    const node = nodes.get(step.replica.setting.node)!
    const here = there.filter((replica) => replica.node === node.id)
    let inMachine = 0
    for (const { id, device, foreignBytes } of node.devices) {
      const claimed = here.reduce((sum, one) => sum + (one.claimedBytes[id] ?? 0), 0)
      if (step.replica.setting.devices.includes(id)) {
        expect(claimed + foreignBytes).toBeLessThanOrEqual(device.memoryBytes!)
      }
      if (device.unifiedMemory) inMachine += claimed
    }
    const machine = node.devices.find(({ device }) => device.vendor === 'cpu')!
    const usesMachine = node.devices.some(
      ({ id, device }) => device.unifiedMemory && step.replica.setting.devices.includes(id),
    )
    if (usesMachine) expect(inMachine).toBeLessThanOrEqual(machine.device.memoryBytes!)
  }
}

function noTaintWithoutToleration({ inventory, deployments }: PlanInput, made: Plan): void {
  for (const step of made.steps) {
    if (step.kind === 'stop') continue
    const { node: id } = step.replica.setting
    const node = inventory.nodes.find((one) => one.id === id)!
    const deployment = deployments.find(({ name }) => name === step.replica.deployment)!
    expect(node.presence).toBe('ready')
    expect(node.draining).toBe(false)
    for (const taint of node.taints) {
      if (taint.effect === 'PreferNoSchedule') continue
      expect(deployment.constraints.tolerations.map(({ key }) => key)).toContain(taint.key)
    }
  }
}

/** Nobody goes without while somebody less important holds what would do. */
function priorityIsNeverInverted(input: PlanInput, made: Plan): void {
  const { inventory, deployments, frozen, reserve } = input
  if (frozen) return
  const rank = (one: Deployment) => priorities.indexOf(one.priority)
  const after = applyPlan(inventory, made).replicas
  const byName = new Map(deployments.map((one) => [one.name, one]))
  for (const { deployment: name } of made.unplaced) {
    const wanted = byName.get(name)!
    const { variants, constraints, share } = wanted
    // Room that is free may be kept for what is more important.
    if (reserve === 'n-1' && rank(wanted) < priorities.indexOf('high')) continue
    const weights = Math.min(...variants.map(({ facts }) => facts?.tensorBytes ?? Infinity))
    for (const node of inventory.nodes) {
      if (!isOpen(node, wanted)) continue
      const stay = after.filter((replica) => {
        const owner = byName.get(replica.deployment ?? '')
        return replica.node === node.id && (!owner || rank(owner) >= rank(wanted))
      })
      if (stay.some(({ deployment: other }) => isAway(wanted, byName.get(other ?? '')))) continue
      // Their memory is one, and what is in the way of one is then in the way of all.
      if (stay.some(({ devices }) => devices.some((id) => id !== 'nvidia-0'))) continue
      const gpu = node.devices.find(({ id }) => id === 'nvidia-0')
      if (gpu === undefined) continue
      if (constraints.backends !== null && !constraints.backends.includes('cuda')) continue
      const residents = stay.filter(({ devices }) => devices.includes('nvidia-0'))
      const shares = (one: PlacedReplica) => byName.get(one.deployment ?? '')?.share ?? true
      if (residents.length > 0 && !(share && residents.every(shares))) continue
      const held = residents.reduce((sum, one) => sum + (one.claimedBytes['nvidia-0'] ?? 0), 0)
      // Far from every margin: the least of evenFit, and 2 GiB.
      const needed = weights + 0.25 * gibibyte + 4 * 32_768 * 65_536 + 2 * gibibyte
      expect(held + gpu.foreignBytes + needed, `${name} fits on ${node.name}`).toBeGreaterThan(
        gpu.device.memoryBytes!,
      )
    }
  }
}

function isOpen(node: PlacementNode, { constraints }: Deployment): boolean {
  return (
    node.presence === 'ready' &&
    !node.draining &&
    (constraints.nodes === null || constraints.nodes.includes(node.name)) &&
    Object.entries(constraints.labels).every(([key, value]) => node.labels[key] === value) &&
    node.taints.every(
      (taint) =>
        taint.effect === 'PreferNoSchedule' ||
        constraints.tolerations.some(({ key }) => key === taint.key),
    )
  )
}

function isAway(a: Deployment, b: Deployment | undefined): boolean {
  if (b === undefined) return false
  return a.constraints.awayFrom.includes(b.name) || b.constraints.awayFrom.includes(a.name)
}

/** A stop that leaves nobody says so, and has a reason that leaves no choice. */
function theLastOneThatAnswersStaysUntilAnotherDoes(input: PlanInput, made: Plan): void {
  const { inventory, deployments, wantedReplicas } = input
  const lost = new Set(
    inventory.nodes.filter(({ presence }) => presence === 'lost').map(({ id }) => id),
  )
  let there = inventory.replicas.filter(({ node }) => !lost.has(node))
  const done = new Set<string>()
  for (const step of made.steps) {
    for (const before of step.after) expect(done).toContain(before)
    done.add(step.step)
    there = [...applyPlan({ ...inventory, replicas: there }, { ...made, steps: [step] }).replicas]
    if (step.kind === 'start' || !step.replica.ready || lost.has(step.replica.node)) continue
    const owner = deployments.find(({ name }) => name === step.replica.deployment)
    const wanted = owner === undefined ? 0 : (wantedReplicas[owner.name] ?? owner.replicas.min)
    if (wanted === 0) continue
    const answering = there.filter(
      ({ deployment: name, ready }) => ready && name === step.replica.deployment,
    )
    expect(step.interrupts).toBe(answering.length === 0)
    if (!step.interrupts || step.evictedFor === null) continue
    const taker = deployments.find(({ name }) => name === step.evictedFor)!
    expect(priorities.indexOf(taker.priority)).toBeGreaterThan(priorities.indexOf(owner!.priority))
  }
}
