/**
 * Which nodes a deployment may be placed on, and what each costs beside what its class does. Asked
 * for every deployment and every node, so whatever is alike is worked out once: deployments with the
 * same words about nodes, and nodes of a class that differ in nothing that costs.
 */
import type { Deployment } from '#core/deployment.ts'
import type { FailedStart } from '#placement/inventory.ts'
import type { PlanInput } from '#placement/plan.ts'
import { diskChecks, nodeChecks } from '#placement/planner/checks/index.ts'
import { nodeRanks } from '#placement/planner/ranks/index.ts'
import type { MachineClass, Site, Sites } from '#placement/planner/site.ts'

export interface OpenSite {
  readonly site: Site
  /** By index of the variant; infinite where its weights have no room on the disk. */
  readonly seconds: readonly number[]
  /** What was tried there in vain, and is not to be tried yet. */
  readonly failures: readonly FailedStart[]
}

export type OpenSites = (
  wish: { readonly index: number; readonly deployment: Deployment },
  machineClass: MachineClass,
) => readonly OpenSite[]

const noFailures: readonly FailedStart[] = []

/** What is asked about a deployment once, for all classes. */
interface Asked {
  readonly isOpen: Uint8Array
  /** Nodes that have one of its variants already. */
  readonly holders: ReadonlySet<number>
  /** Nodes with less disk than this may lack room. */
  readonly leastDiskBytes: number
  /** By index of the class. */
  readonly open: (readonly OpenSite[])[]
}

export function openSiteCache({ inventory }: PlanInput, { sites }: Sites): OpenSites {
  const failures = inventory.failures ?? noFailures
  const special = specialNodes(sites)
  const isOpenByWords = new Map<string, Uint8Array>()
  const byShape = new Map<string, Asked>()
  const byWish: Asked[] = []

  const ask = (deployment: Deployment): Asked => {
    const { nodes, labels, tolerations } = deployment.constraints
    // The name stands in reasons alone, and those are asked for one by one.
    const words = JSON.stringify([nodes, labels, tolerations])
    const failed = failures.some((one) => one.deployment === deployment.name)
    const files = deployment.variants.map(({ source, facts }) => [source, facts?.tensorBytes])
    const shape = JSON.stringify([words, files, failed ? deployment.name : null])
    const known = byShape.get(shape)
    if (known !== undefined) return known
    const isOpen =
      isOpenByWords.get(words) ??
      Uint8Array.from(sites, ({ node }) =>
        nodeChecks.every((check) => check.refuse(deployment, node) === null) ? 1 : 0,
      )
    isOpenByWords.set(words, isOpen)
    const asked: Asked = {
      isOpen,
      holders: new Set(
        deployment.variants.flatMap(({ source }) => special.holders.get(source) ?? []),
      ),
      leastDiskBytes: Math.max(
        0,
        ...deployment.variants.map(({ facts }) => facts?.tensorBytes ?? 0),
      ),
      open: [],
    }
    byShape.set(shape, asked)
    return asked
  }

  return ({ index, deployment }, machineClass) => {
    byWish[index] ??= ask(deployment)
    const { isOpen, holders, leastDiskBytes, open } = byWish[index]
    const known = open[machineClass.index]
    if (known !== undefined) return known
    let usual: readonly number[] | null = null
    const made: OpenSite[] = []
    for (const site of machineClass.sites) {
      if (isOpen[site.index] === 0) continue
      const isUsual =
        !special.deters.has(site.index) &&
        !holders.has(site.index) &&
        (site.node.freeDiskBytes ?? leastDiskBytes) >= leastDiskBytes
      const seconds: readonly number[] =
        isUsual && usual !== null ? usual : secondsOf(deployment, site)
      if (isUsual) usual = seconds
      made.push({ site, seconds, failures: failuresAt(failures, deployment, site) })
    }
    open[machineClass.index] = made
    return made
  }
}

/** Nodes that cost something of their own: who has which weights, and whose taints deter. */
function specialNodes(sites: readonly Site[]) {
  const holders = new Map<string, number[]>()
  const deters = new Set<number>()
  for (const { index, node } of sites) {
    for (const source of node.weights) {
      const known = holders.get(source)
      if (known === undefined) holders.set(source, [index])
      else known.push(index)
    }
    if (node.taints.some(({ effect }) => effect === 'PreferNoSchedule')) deters.add(index)
  }
  return { holders, deters }
}

function secondsOf(deployment: Deployment, { node }: Site): number[] {
  return deployment.variants.map((variant, variantIndex) =>
    diskChecks.some((check) => check.refuse(deployment, { variant }, node) !== null)
      ? Number.POSITIVE_INFINITY
      : nodeRanks.reduce((sum, rank) => sum + rank.seconds(deployment, variantIndex, node), 0),
  )
}

function failuresAt(
  failures: readonly FailedStart[],
  { name }: Deployment,
  { node }: Site,
): readonly FailedStart[] {
  if (failures.length === 0) return noFailures
  return failures.filter((one) => one.deployment === name && one.node === node.id)
}
