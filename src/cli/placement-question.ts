/**
 * What a plan is asked of: the deployments and the fleet, from a controller or from files alone,
 * with whatever somebody supposes on top.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { askController } from '#cli/admin-client.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { findConfigFile, readConfig } from '#cli/config-file.ts'
import type { GatewayOptions } from '#cli/gateway-client.ts'
import { suppose } from '#cli/suppose.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import type { Wishes } from '#controller/deploying.ts'
import type { WantedDeployment } from '#controller/deployment-state.ts'
import { engineCatalog } from '#engines/index.ts'
import type { Inventory } from '#placement/inventory.ts'
import type { PlanInput } from '#placement/plan.ts'
import { type FleetPicture, fleetPicture, readInventory } from '#placement/read-inventory.ts'
import { wishesWanted } from '#protocol/wishes.ts'
import { parseJson } from '#std/parse-json.ts'

export interface QuestionOptions extends GatewayOptions {
  readonly inventory?: string
  readonly whatIf?: readonly string[]
}

export interface Question {
  readonly input: PlanInput
  /** What the deployments of a file are; null where those of the controller are meant. */
  readonly wishes: Wishes | null
}

const standing = z.object({
  origin: z.enum(['configuration', 'applied']),
  wanted: z.number(),
  because: z.string().nullable(),
  unread: z.array(z.object({ source: z.string(), because: z.string().nullable() })),
})

/** What is used of GET /admin/v1/placement; a file that `motley nodes --json` printed has less. */
const placementPage = z.object({
  deployments: wishesWanted.shape.deployments.default([]),
  standings: z.record(z.string(), standing).default({}),
  reserve: z.enum(['none', 'n-1']).default('none'),
  plan: z
    .object({
      id: z.string(),
      because: z.string(),
      steps: z.array(z.string()),
      underWay: z.array(z.string()),
    })
    .nullable()
    .default(null),
})
export type PlacementPage = z.output<typeof placementPage>

export interface Placement {
  readonly page: PlacementPage
  readonly picture: FleetPicture
}

/** @throws {CommandFailure} */
export async function askPlacement(options: QuestionOptions): Promise<Placement> {
  const { inventory } = options
  const json =
    inventory === undefined
      ? await askController('/admin/v1/placement', options)
      : readJson(inventory)
  const where = inventory === undefined ? 'the controller' : `--inventory ${inventory}`
  const picture = fleetPicture.safeParse(json)
  const page = placementPage.safeParse(json)
  if (picture.success && page.success) {
    const twice = twiceIn(picture.data)
    if (twice === null) return { picture: picture.data, page: page.data }
    throw new CommandFailure(
      'wrong',
      `${where}: the node "${twice}" stands in it twice; keep one of the two`,
    )
  }
  const [issue] = (picture.error ?? page.error)?.issues ?? []
  throw new CommandFailure(
    'wrong',
    `${where}: it is not what "motley nodes --json" prints: at ${issue?.path.join('.') || 'the top'}: ${issue?.message}`,
  )
}

/**
 * `file`: what should run; left out: what the controller has, and without one what motley.yaml says.
 * @throws {CommandFailure}
 */
export async function placementQuestion(
  file: string | undefined,
  options: QuestionOptions,
): Promise<Question> {
  const placement = await askPlacement(options)
  const needsFile = options.inventory !== undefined && placement.page.deployments.length === 0
  const wishes = file === undefined && !needsFile ? null : wishesIn(file)
  return questionOf(placement, wishes, options.whatIf ?? [])
}

export function questionOf(
  { page, picture }: Placement,
  wishes: Wishes | null,
  supposed: readonly string[],
): Question {
  const deployments = wishes === null ? page.deployments : merged(page, wishes)
  const names = new Set(deployments.map(({ name }) => name))
  const inventory = readInventory(withStatements(picture, wishes))
  return {
    wishes,
    input: {
      deployments,
      inventory: supposed.reduce<Inventory>(suppose, inventory),
      engines: engineCatalog,
      wantedReplicas: Object.fromEntries(
        Object.entries(page.standings)
          .filter(([name]) => names.has(name))
          .map(([name, { wanted }]) => [name, clamped(wanted, deployments, name)]),
      ),
      reserve: page.reserve,
      frozen: picture.frozen,
    },
  }
}

/** @throws {CommandFailure} and `ConfigError`. */
export function wishesIn(file: string | undefined): Wishes {
  const request = { path: file, env: process.env, cwd: process.cwd() }
  if (findConfigFile(request) === null) {
    throw new CommandFailure(
      'wrong',
      'there is no motley.yaml here: name the file that says what should run',
    )
  }
  const wishes = wishesOf(readConfig(request))
  if (wishes.deployments.length > 0) return wishes
  throw new CommandFailure(
    'wrong',
    `${findConfigFile(request)} has no "deployments": it does not say what should run`,
  )
}

/** As `apply` would have it: what the configuration of the controller says stays. */
function merged({ deployments, standings }: PlacementPage, wishes: Wishes): WantedDeployment[] {
  const names = new Set(wishes.deployments.map(({ name }) => name))
  const stay = deployments.filter(
    ({ name }) => !names.has(name) && standings[name]?.origin === 'configuration',
  )
  const read = new Map(
    deployments.flatMap(({ variants }) =>
      variants.flatMap(({ source, facts }) => (facts === null ? [] : [[source, facts] as const])),
    ),
  )
  const own = wishes.deployments.map((deployment) => ({
    ...deployment,
    variants: deployment.variants.map((variant) => {
      const facts = variant.facts ?? read.get(variant.source) ?? null
      return facts === null ? variant : { ...variant, facts, format: facts.format }
    }),
  }))
  return [...stay, ...own]
}

function withStatements(picture: FleetPicture, wishes: Wishes | null): FleetPicture {
  if (wishes === null) return picture
  const { statements } = wishes
  const nodes = picture.nodes.map((node) => ({
    ...node,
    statement: Object.hasOwn(statements, node.name)
      ? (statements[node.name] ?? null)
      : node.statement,
  }))
  return { ...picture, nodes }
}

function clamped(wanted: number, deployments: readonly WantedDeployment[], name: string): number {
  const replicas = deployments.find((one) => one.name === name)?.replicas
  if (replicas === undefined) return wanted
  return Math.min(replicas.max, Math.max(replicas.min, wanted))
}

function readJson(path: string): unknown {
  const unusable = (why: string): CommandFailure =>
    new CommandFailure('wrong', `--inventory ${path}: ${why}; "motley nodes --json" prints one`)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw unusable(code === 'ENOENT' ? 'there is no such file' : (code ?? 'it cannot be read'))
  }
  const json = parseJson(text)
  if (json === undefined) {
    throw unusable(text.trim() === '' ? 'it is empty' : 'it is not JSON, or it breaks off')
  }
  return json
}

/** Two entries with one id would be planned as two machines, and the memory of one promised twice. */
function twiceIn({ nodes }: FleetPicture): string | null {
  const ids = new Set<string>()
  for (const { id } of nodes) {
    if (ids.has(id)) return id
    ids.add(id)
  }
  return null
}
