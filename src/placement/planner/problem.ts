/**
 * The question of a plan, prepared for the search: the replicas that are wanted, each with the one
 * that runs in its stead already, if there is one, and what runs and is not wanted any more.
 */
import { type Deployment, priorities } from '#core/deployment.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import { kvCacheTypesOn } from '#core/engine-memory.ts'
import { allowedKvCacheTypes } from '#placement/allowed-kv-cache-types.ts'
import type { FitReplica } from '#placement/fit.ts'
import type { PlacedReplica } from '#placement/inventory.ts'
import type { PlanInput } from '#placement/plan.ts'
import type { OnRunning } from '#placement/planner/checks/check.ts'
import {
  deviceChecks,
  nodeChecks,
  variantChecks,
  wayChecks,
} from '#placement/planner/checks/index.ts'
import { findSetups } from '#placement/planner/find-setups.ts'
import { type OpenSite, openSiteCache } from '#placement/planner/open-sites.ts'
import { type RememberedFit, rememberedFit } from '#placement/planner/remembered-fit.ts'
import type { Setups } from '#placement/planner/setup.ts'
import { type MachineClass, type Site, type Sites, sitesOf } from '#placement/planner/site.ts'

/** One deployment, with all that the search asks about it again and again. */
export interface Wish {
  readonly index: number
  readonly deployment: Deployment
  /** 0 is `low`. */
  readonly priority: number
  readonly wanted: number
  /** Indexes of deployments that must not be on the same node, in either one's words. */
  readonly awayFrom: ReadonlySet<number>
}

/** A replica that runs, and where its memory is. */
export interface Running {
  readonly replica: PlacedReplica
  readonly site: Site
  readonly locals: readonly number[]
  readonly needBytes: readonly number[]
  readonly hostBytes: number
}

/** One replica that is wanted. */
export interface Unit {
  readonly index: number
  readonly wish: Wish
  /** Runs as it should: staying there costs nothing. */
  readonly keeps: Running | null
  /** Runs, but not as it should: goes when this one is ready. */
  readonly replaces: Running | null
}

/** A replica that goes in any case. */
export interface Leaving {
  readonly running: Running
  /** Null when nobody wants a replica of that deployment. */
  readonly wish: Wish | null
  readonly because: string
}

export interface Problem {
  readonly input: PlanInput
  readonly sites: Sites
  readonly wishes: readonly Wish[]
  readonly units: readonly Unit[]
  readonly leaving: readonly Leaving[]
  /** On lost nodes: their memory is nobody's, and they go when a successor is ready. */
  readonly gone: readonly { readonly replica: PlacedReplica; readonly unit: number | null }[]
  /** Started by hand: they hold memory and are not touched. */
  readonly untouched: readonly Running[]
  setupsFor(wish: Wish, machineClass: MachineClass): Setups
  /** Nodes of a class that the deployment may be placed on, with what each costs. */
  sitesFor(wish: Wish, machineClass: MachineClass): readonly OpenSite[]
}

export function problemOf(
  input: PlanInput,
  fitReplica: FitReplica,
  remembered: RememberedFit = rememberedFit(fitReplica),
): Problem {
  const sites = sitesOf(input.inventory)
  const wishes = wishesOf(input)
  const setups = setupCache(input, fitReplica, remembered)
  const open = openSiteCache(input, sites)
  return {
    input,
    sites,
    wishes,
    ...claimsOf(input, sites, wishes),
    setupsFor: setups,
    sitesFor: open,
  }
}

function wishesOf({ deployments, wantedReplicas }: PlanInput): Wish[] {
  const sorted = deployments.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const indexOf = new Map(sorted.map(({ name }, index) => [name, index]))
  const away = sorted.map(() => new Set<number>())
  for (const [index, { constraints }] of sorted.entries()) {
    for (const name of constraints.awayFrom) {
      const other = indexOf.get(name)
      if (other === undefined) continue
      away[index]!.add(other)
      away[other]!.add(index)
    }
  }
  return sorted.map((deployment, index) => ({
    index,
    deployment,
    priority: priorities.indexOf(deployment.priority),
    wanted: Math.max(0, wantedOf(deployment, wantedReplicas)),
    awayFrom: away[index]!,
  }))
}

/** A deployment may be called "constructor", which every object has already. */
function wantedOf(
  { name, replicas }: PlanInput['deployments'][number],
  wanted: PlanInput['wantedReplicas'],
): number {
  return Object.hasOwn(wanted, name) ? (wanted[name] ?? replicas.min) : replicas.min
}

/** Who runs, and which wish each one fulfils. */
function claimsOf(input: PlanInput, sites: Sites, wishes: readonly Wish[]) {
  const wishOf = new Map(wishes.map((wish) => [wish.deployment.name, wish]))
  const untouched: Running[] = []
  const leaving: Leaving[] = []
  const good = wishes.map((): Running[] => [])
  const outdated = wishes.map((): Running[] => [])
  const expelled = wishes.map((): Leaving[] => [])
  const gone = wishes.map((): PlacedReplica[] => [])
  const replicas = input.inventory.replicas.toSorted((a, b) => naturalOrder(a.id, b.id))
  for (const replica of replicas) {
    const running = runningOf(replica, sites)
    const wish = replica.deployment === null ? null : wishOf.get(replica.deployment)
    if (wish === null) {
      if (running !== null && running.site.node.presence !== 'lost') untouched.push(running)
      continue
    }
    if (running === null || (running.site.node.presence === 'lost' && !input.frozen)) {
      if (wish !== undefined) gone[wish.index]!.push(replica)
      continue
    }
    if (wish === undefined) {
      leaving.push({
        running,
        wish: null,
        because: 'no deployment of that name is wanted any more',
      })
      continue
    }
    const verdict: Verdict = input.frozen ? { kind: 'stays' } : verdictOn(running, wish, input)
    if (verdict.kind === 'stays') good[wish.index]!.push(running)
    else if (verdict.kind === 'moves') outdated[wish.index]!.push(running)
    else expelled[wish.index]!.push({ running, wish, because: verdict.because })
  }

  const units: Unit[] = []
  const lost: { replica: PlacedReplica; unit: number | null }[] = []
  for (const wish of wishes) {
    const readyFirst = good[wish.index]!.toSorted(
      (a, b) => standing(b) - standing(a) || naturalOrder(a.replica.id, b.replica.id),
    )
    const kept = readyFirst.slice(0, wish.wanted)
    const surplus = readyFirst.slice(wish.wanted)
    const old = outdated[wish.index]!
    const firstUnit = units.length
    for (let ordinal = 0; ordinal < wish.wanted; ordinal += 1) {
      const keeps = kept[ordinal] ?? null
      const replaces = keeps === null ? (old[ordinal - kept.length] ?? null) : null
      units.push({ index: units.length, wish, keeps, replaces })
    }
    const why = `${wish.deployment.name} has more replicas than the ${wish.wanted} wanted`
    for (const running of surplus) leaving.push({ running, wish, because: why })
    let answers = wish.wanted === 0 || kept.some(({ replica }) => replica.ready)
    for (const [position, running] of old.entries()) {
      if (position < wish.wanted - kept.length) answers ||= running.replica.ready
      else if (answers || !running.replica.ready) leaving.push({ running, wish, because: why })
      else {
        // The only one that answers goes when those that are to stay have started.
        untouched.push(running)
        answers = true
      }
    }
    // Its successor is on its way already: it goes when that answers, and until then it does.
    const isSucceeded = !answers && kept.length > 0
    for (const one of expelled[wish.index]!) {
      if (isSucceeded && one.running.replica.ready) untouched.push(one.running)
      else leaving.push(one)
    }
    for (const [position, replica] of gone[wish.index]!.entries()) {
      const unit = firstUnit + kept.length + position
      lost.push({ replica, unit: unit < units.length ? unit : null })
    }
  }
  if (!input.frozen) return { units, leaving, gone: lost, untouched }
  // After a mass loss nothing is stopped: the loss is more likely ours than the fleet's.
  return {
    units,
    leaving: [],
    gone: [],
    untouched: [...untouched, ...leaving.map((l) => l.running)],
  }
}

/** Null when its node or one of its devices is not there. */
function runningOf(replica: PlacedReplica, sites: Sites): Running | null {
  const site = sites.byNode.get(replica.node)
  if (site === undefined) return null
  const { devices } = site.node
  const locals = replica.devices.map((id) => devices.findIndex((device) => device.id === id))
  if (locals.includes(-1)) return null
  const holds = (id: string) =>
    Math.ceil(Math.max(replica.claimedBytes[id] ?? 0, replica.measuredBytes?.[id] ?? 0))
  // What it holds of the machine's memory beside its devices stands under the id of the CPU.
  const hostBytes = devices
    .filter(({ id, device }) => device.vendor === 'cpu' && !replica.devices.includes(id))
    .reduce((sum, { id }) => sum + holds(id), 0)
  return { replica, site, locals, needBytes: replica.devices.map(holds), hostBytes }
}

type Verdict =
  | { readonly kind: 'stays' }
  | { readonly kind: 'moves' }
  | { readonly kind: 'leaves'; readonly because: string }

function verdictOn({ replica, site, locals }: Running, wish: Wish, input: PlanInput): Verdict {
  const { deployment } = wish
  const { node } = site
  let moves = false
  const weigh = (onRunning: OnRunning, what: string): Verdict | null => {
    if (onRunning === 'leaves') return { kind: 'leaves', because: what }
    if (onRunning === 'moves') moves = true
    return null
  }
  for (const check of nodeChecks) {
    const blocker = check.refuse(deployment, node)
    if (blocker === null) continue
    const verdict = weigh(check.onRunning(deployment, node), blocker.what)
    if (verdict !== null) return verdict
  }
  for (const local of locals) {
    const device = node.devices[local]!
    for (const check of deviceChecks) {
      const blocker = check.refuse(deployment, device, node)
      if (blocker !== null) weigh(check.onRunning, blocker.what)
    }
  }
  const { constraints, contextTokens, slots, variants } = deployment
  const variant = variants.find(({ source }) => source === replica.source)
  const engine = input.engines.find(({ id }) => id === replica.engine)
  if (variant === undefined || engine === undefined) return { kind: 'moves' }
  for (const check of variantChecks) {
    const blocker = check.refuse(deployment, variant)
    if (blocker !== null) weigh(check.onRunning, blocker.what)
  }
  for (const check of wayChecks) {
    // Its engine is on the node, whatever the list of programs says: it runs.
    const blocker = check.refuse(deployment, { variant, engine }, { ...node, engines: null })
    if (blocker !== null) weigh(check.onRunning, blocker.what)
  }
  if (constraints.backends !== null && !constraints.backends.includes(replica.backend)) moves = true
  if (contextTokens !== null && replica.contextTokens !== contextTokens) moves = true
  if (slots !== null && replica.slots !== slots) moves = true
  if (concedesTooMuch(replica, deployment, engine)) moves = true
  return { kind: moves ? 'moves' : 'stays' }
}

/** Whether it gives up what its owner does not want given up any more. */
function concedesTooMuch(
  { kvCacheType, offload, backend }: PlacedReplica,
  deployment: Deployment,
  engine: EngineFacts,
): boolean {
  if (offload != null && deployment.offload !== true) return true
  const [own] = kvCacheTypesOn(engine.memory, backend)
  if (own === undefined) return false
  return !allowedKvCacheTypes(deployment, engine, backend).includes(kvCacheType ?? own)
}

/** Which of too many stays: one that answers before one that does not, a present node first. */
function standing({ replica, site }: Running): number {
  return (replica.ready ? 2 : 0) + (site.node.presence === 'ready' ? 1 : 0)
}

/** `chat-10` after `chat-9`. */
export function naturalOrder(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}

function setupCache(
  input: PlanInput,
  fitReplica: FitReplica,
  remembered: RememberedFit,
): Problem['setupsFor'] {
  // Deployments that differ in name, priority and number alone ask the same.
  const shapes = new Map<string, number>()
  const shapeOf = new Map<number, number>()
  const known: Setups[][] = []
  return (wish, machineClass) => {
    let shape = shapeOf.get(wish.index)
    if (shape === undefined) {
      const key = shapeKey(wish.deployment)
      shape = shapes.get(key) ?? shapes.size
      shapes.set(key, shape)
      shapeOf.set(wish.index, shape)
      known[shape] ??= []
    }
    const ofShape = known[shape]!
    const setups = ofShape[machineClass.index]
    if (setups !== undefined) return setups
    const made = findSetups(wish.deployment, machineClass, input, fitReplica, remembered)
    ofShape[machineClass.index] = made
    return made
  }
}

function shapeKey(deployment: Deployment): string {
  const { task, model, variants, contextTokens, slots, targets, constraints, replicas } = deployment
  const { kvCacheTypes, offload } = deployment
  return JSON.stringify([
    task,
    model,
    variants.map(({ source, format, engines, facts }) => [
      source,
      format,
      engines,
      facts?.tensorBytes,
    ]),
    contextTokens,
    slots,
    kvCacheTypes,
    offload,
    targets,
    targets.tokensPerSecond === null ? null : replicas.max,
    constraints.backends,
    constraints.engines,
    constraints.minVramBytes,
  ])
}
