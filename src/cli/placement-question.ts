/**
 * What a plan is asked of: the deployments and the fleet, from a controller or from files alone,
 * with whatever somebody supposes on top.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { askController } from '#cli/admin-client.ts'
import { aliasOf } from '#cli/catalog-hint.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { findConfigFile, hasSection, readConfig } from '#cli/config-file.ts'
import { fleetHeaders } from '#cli/fleet-headers.ts'
import type { GatewayOptions } from '#cli/gateway-client.ts'
import { withHeaders } from '#cli/read-headers.ts'
import { sharedMachines } from '#cli/shared-machines.ts'
import { suppose } from '#cli/suppose.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import type { Wishes } from '#controller/deploying.ts'
import {
  applyDeploymentEvent,
  type DeploymentState,
  deploymentOrigins,
  noDeployments,
} from '#controller/deployment-state.ts'
import {
  factsOf,
  wantedDeployments,
  wantedReplicasOf,
  withFacts,
} from '#controller/reconcile/plan-input.ts'
import type { Deployment } from '#core/deployment.ts'
import { engineCatalog } from '#engines/index.ts'
import type { Inventory } from '#placement/inventory.ts'
import { withManualHolds } from '#placement/manual-holds.ts'
import { namingProblems } from '#placement/naming-problems.ts'
import type { PlanInput } from '#placement/plan.ts'
import { type FleetPicture, fleetPicture, readInventory } from '#placement/read-inventory.ts'
import { inspectedWeights } from '#protocol/inspected-weights.ts'
import { wishesWanted } from '#protocol/wishes.ts'
import { parseJson } from '#std/parse-json.ts'
import { catalogModel } from '#weights/catalog/model-catalog.ts'

export interface QuestionOptions extends GatewayOptions {
  readonly inventory?: string
  readonly whatIf?: readonly string[]
}

export interface Question {
  readonly input: PlanInput
  /** The same without what somebody supposes; null where nobody supposes anything. */
  readonly unsupposed: PlanInput | null
  /** What is written and can do nothing here, one sentence each. */
  readonly problems: readonly string[]
}

const origin = z.enum(deploymentOrigins)

const standing = z.object({
  origin,
  wanted: z.number(),
  because: z.string().nullable(),
  unread: z.array(z.object({ source: z.string(), because: z.string().nullable() })),
})

const { deployments, statements } = wishesWanted.shape
const models = wishesWanted.shape.models.unwrap()

/** What the controller remembers of what is wanted. */
const wanted = z.object({
  revision: z.int().default(0),
  revisedBy: origin.nullable().default(null),
  deployments: z
    .record(z.string(), z.object({ deployment: deployments.element, origin }))
    .default({}),
  statements: z
    .record(z.string(), z.object({ statement: statements.valueType, origin }))
    .default({}),
  served: z.record(z.string(), z.object({ served: models.valueType, origin })).default({}),
  inspected: z.record(z.string(), inspectedWeights).default({}),
  scales: z
    .record(z.string(), z.object({ wanted: z.number(), because: z.string(), sinceMs: z.number() }))
    .default({}),
})

/** What is used of GET /admin/v1/placement; a file that `motley nodes --json` printed has less. */
const placementPage = z.object({
  /** By the clock of the controller; an earlier one does not tell. */
  nowMs: z.number().optional(),
  wanted: wanted.nullable().default(null),
  deployments: deployments.default([]),
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
  return placementOf(json, inventory === undefined ? 'the controller' : `--inventory ${inventory}`)
}

/** @throws {CommandFailure} where it is no page, in words that begin with where it is from. */
export function placementOf(json: unknown, where = 'the controller'): Placement {
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
  const written = file === undefined && !needsFile ? null : wishesIn(file)
  const isAlone = options.inventory !== undefined
  const wishes = written !== null && isAlone ? await withHeaders(written) : written
  const known = wishes === null ? placement : await withFleetHeaders(placement, wishes, options)
  return questionOf(known, wishes, options.whatIf ?? [])
}

/**
 * With what the weights of a file hold that the controller has never seen: its machines are asked to
 * read their headers. What none can read stays unknown, and the plan says so.
 */
export async function withFleetHeaders(
  placement: Placement,
  { deployments }: Wishes,
  options: QuestionOptions,
): Promise<Placement> {
  const { wanted } = placement.page
  if (options.inventory !== undefined || wanted === null) return placement
  const unknown = deployments
    .flatMap(({ variants }) => variants)
    .filter(({ source, facts }) => facts === null && !Object.hasOwn(wanted.inspected, source))
    .map(({ source }) => source)
  const read = await fleetHeaders([...new Set(unknown)], options)
  const inspected = { ...wanted.inspected, ...read }
  return { ...placement, page: { ...placement.page, wanted: { ...wanted, inspected } } }
}

/** `own`: of a file, what would be applied of it. */
export function questionOf(
  { page, picture }: Placement,
  own: Wishes | null,
  supposed: readonly string[],
): Question {
  const before = stateOf(page)
  const state = own === null ? before : afterApplying(before, own)
  const wanted = wantedDeployments(state)
  const inventory = withManualHolds(
    readInventory(withStatements(picture, page, state)),
    engineCatalog,
    (source) => factsOf(source, state),
  )
  const statements = Object.fromEntries(
    Object.entries(state.statements).map(([name, { statement }]) => [name, statement]),
  )
  const input: PlanInput = {
    deployments: wanted.map((deployment) => withFacts(deployment, state)),
    inventory,
    engines: engineCatalog,
    wantedReplicas: Object.fromEntries(
      wanted.map((deployment) => [deployment.name, wantedReplicasOf(state, deployment)]),
    ),
    reserve: page.reserve,
    frozen: picture.frozen,
  }
  return {
    problems: [
      ...namingProblems(statements, wanted, inventory),
      ...aliasProblems(wanted),
      ...sharedMachines(picture.nodes),
    ],
    input: { ...input, inventory: supposed.reduce<Inventory>(suppose, inventory) },
    unsupposed: supposed.length === 0 ? null : input,
  }
}

/** Names of the catalogue that stand for the files of another model, where nobody has named files. */
function aliasProblems(wanted: readonly Deployment[]): string[] {
  return wanted.flatMap(({ name, model, variants }) => {
    const other = aliasOf(model)
    const sources = new Set(catalogModel(model)?.variants.map(({ source }) => source))
    const isCatalogs = variants.length > 0 && variants.every(({ source }) => sources.has(source))
    return other === null || !isCatalogs
      ? []
      : [
          `"${name}" asks for ${model}, an alias of ${other} in the catalogue: the same files under another name`,
        ]
  })
}

/** What the controller remembers; of a file that has less of it, what it has. */
function stateOf({ wanted, deployments, standings }: PlacementPage): DeploymentState {
  if (wanted !== null) return { ...noDeployments, ...wanted }
  return {
    ...noDeployments,
    deployments: Object.fromEntries(
      deployments.map((deployment) => {
        const origin = standings[deployment.name]?.origin ?? 'applied'
        return [deployment.name, { deployment, origin }]
      }),
    ),
    scales: Object.fromEntries(
      Object.entries(standings).map(([name, { wanted: count, because }]) => [
        name,
        { wanted: count, because: because ?? '', sinceMs: 0 },
      ]),
    ),
  }
}

/** By the controller's own function: a plan that is shown is the one that is carried out. */
function afterApplying(state: DeploymentState, own: Wishes): DeploymentState {
  return applyDeploymentEvent(
    state,
    { type: 'deployments-set', origin: 'applied', ...own, digest: null },
    0,
  )
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
  const wishes = wishesWanted.parse(wishesOf(readConfig(request)))
  if (wishes.deployments.length > 0 || hasSection(request, 'deployments')) return wishes
  throw new CommandFailure(
    'wrong',
    `${findConfigFile(request)} has no "deployments": it does not say what should run; if nothing should, write "deployments: {}"`,
  )
}

/** A file that knows nothing of who said what has only what stands beside each node. */
function withStatements(
  picture: FleetPicture,
  { wanted }: PlacementPage,
  { statements }: DeploymentState,
): FleetPicture {
  const nodes = picture.nodes.map((node) => ({
    ...node,
    statement: Object.hasOwn(statements, node.name)
      ? (statements[node.name]?.statement ?? null)
      : wanted === null
        ? node.statement
        : null,
  }))
  return { ...picture, nodes }
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

/**
 * Two entries with one id would be planned as two machines, and the memory of one promised twice; of
 * two with one name nobody could say which is meant.
 */
function twiceIn({ nodes }: FleetPicture): string | null {
  const taken = new Set<string>()
  for (const { id, name } of nodes) {
    const own = new Set([id, name])
    for (const word of own) if (taken.has(word)) return word
    for (const word of own) taken.add(word)
  }
  return null
}
