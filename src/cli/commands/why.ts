import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { decisionList, decisionListText } from '#cli/decision-list-text.ts'
import {
  deploymentOf,
  deploymentWhyText,
  plansAnswer,
  type WhyPlacement,
} from '#cli/deployment-why-text.ts'
import { replicasAnswer } from '#cli/fleet-text.ts'
import { folded } from '#cli/folded.ts'
import { askGateway, type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { askPlacement, placementOf } from '#cli/placement-question.ts'
import { byHandAnswer, replicaWhyText } from '#cli/replica-why-text.ts'
import { printJson } from '#cli/terminal.ts'
import { requestRecord, whyText } from '#cli/why-text.ts'
import { widthOf } from '#cli/width.ts'
import { recordsKept } from '#gateway/decision-log.ts'
import { logPage } from '#protocol/agent-messages.ts'
import { didYouMean } from '#std/closest.ts'

export function addWhyCommand(program: Command): void {
  withGatewayOptions(program.command('why'))
    .description(
      'Say why a request went where it went, or why a deployment or replica is where it is.',
    )
    .argument('[what]', 'the x-request-id of an answer, a deployment or a replica')
    .option(
      '--limit <count>',
      'without a name: how many of those that run, and of the others (default 20)',
    )
    .option('--json', 'print the decision record')
    .addHelpText(
      'after',
      '\nWithout a name it lists what runs now, and then the newest of what is over.',
    )
    .action(async (what: string | undefined, { json = false, limit, ...gateway }: WhyOptions) => {
      if (what === undefined) return tellOfNewest(limit, gateway, json)
      if (limit !== undefined) {
        throw new CommandFailure('wrong', '--limit is for the list of requests: leave the name out')
      }
      const answer = await askGateway(
        `${decisionsPath}/${encodeURIComponent(what)}`,
        gateway,
        'an admin key',
      )
      if (answer === null && (await tellOfDeployment(what, gateway, json))) return
      if (answer === null && (await tellOfReplica(what, gateway, json))) return
      if (answer === null) {
        throw new CommandFailure(
          'no',
          `there is no request, deployment or replica "${what}" here; the latest ${recordsKept} requests are kept${didYouMean(what, await namesAt(gateway))}`,
        )
      }
      const record = requestRecord.safeParse(answer)
      if (!record.success) throw noGateway()
      if (json) printJson(answer)
      else console.log(folded(whyText(record.data, Date.now()), process.stdout))
    })
}

interface WhyOptions extends GatewayOptions {
  readonly json?: boolean
  readonly limit?: string
}

const decisionsPath = '/admin/v1/decisions'

function noGateway(): CommandFailure {
  return new CommandFailure(
    'unreachable',
    'what answers there is no Motley gateway of this version; check --url',
  )
}

/** The newest requests, a line each. */
async function tellOfNewest(
  limit: string | undefined,
  gateway: GatewayOptions,
  json: boolean,
): Promise<void> {
  const query = limit === undefined ? '' : `?limit=${encodeURIComponent(limit)}`
  const answer = await askGateway(`${decisionsPath}${query}`, gateway, 'an admin key')
  const list = decisionList.safeParse(answer)
  if (!list.success) throw noGateway()
  if (json) printJson(answer)
  else console.log(decisionListText(list.data, widthOf(process.stdout), Date.now()))
}

/** Deployments and replicas that could be meant; none where there is no controller. */
async function namesAt(gateway: GatewayOptions): Promise<string[]> {
  const ask = (path: string) => askGateway(`/admin/v1/${path}`, gateway, 'an admin key')
  const [placement, all] = [await ask('placement'), await ask('replicas')]
  if (placement === null || all === null) return []
  const { page } = placementOf(placement)
  const replicas = replicasAnswer.parse(all).replicas.map(({ spec }) => spec.id)
  return [...page.deployments.map(({ name }) => name), ...replicas]
}

/** False where there is none of that name, or no controller. */
async function tellOfDeployment(
  name: string,
  gateway: GatewayOptions,
  json: boolean,
): Promise<boolean> {
  if ((await askGateway('/admin/v1/placement', gateway, 'an admin key')) === null) return false
  const [placement, kept] = await Promise.all([
    askPlacement(gateway),
    askGateway('/admin/v1/plans', gateway, 'an admin key'),
  ])
  const why = { ...placement, ...plansAnswer.parse(kept) }
  const deployment = deploymentOf(why, name)
  if (deployment === null) return false
  if (json) printJson(deploymentWhy(why, deployment))
  else console.log(deploymentWhyText(why, deployment, why.page.nowMs ?? Date.now()))
  return true
}

/** Of one that was started by hand; false where there is none of that name, or no controller. */
async function tellOfReplica(
  name: string,
  gateway: GatewayOptions,
  json: boolean,
): Promise<boolean> {
  const ask = (path: string) => askGateway(`/admin/v1/${path}`, gateway, 'an admin key')
  const all = await ask('replicas')
  if (all === null) return false
  const ids = replicasAnswer.parse(all).replicas.map(({ spec }) => spec.id)
  const [start = '', end = ''] = name.split('…')
  if (!ids.some((id) => start !== '' && id.startsWith(start) && id.endsWith(end))) return false
  const answer = await ask(`replicas/${encodeURIComponent(name)}`)
  const replica = byHandAnswer.parse(answer)
  if (replica.placed !== null) return tellOfDeployment(replica.spec.id, gateway, json)
  if (json) {
    printJson(answer)
    return true
  }
  const isReady = replica.reported?.state === 'ready'
  const log = isReady ? null : await lastLog(replica.spec.id, gateway)
  console.log(replicaWhyText(replica, log, Date.now()))
  return true
}

/** Null where its engine never ran, or nobody can be asked for it. */
async function lastLog(id: string, gateway: GatewayOptions): Promise<string | null> {
  const path = `/admin/v1/replicas/${encodeURIComponent(id)}/logs`
  try {
    return logPage.parse(await askGateway(path, gateway, 'an admin key')).text
  } catch (error) {
    if (error instanceof CommandFailure) return null
    throw error
  }
}

/** What is known of one deployment, of all that is known. */
function deploymentWhy({ page, picture, plans }: WhyPlacement, name: string) {
  const isOwn = (one: { readonly deployment: string }) => one.deployment === name
  return {
    deployment: page.deployments.find((one) => one.name === name) ?? null,
    standing: page.standings[name] ?? null,
    plan: page.plan,
    replicas: picture.replicas.filter(
      (one) => (one as { placed?: { deployment?: string } | null }).placed?.deployment === name,
    ),
    plans: plans.map(({ steps, unplaced, candidates, ...plan }) => ({
      ...plan,
      steps: steps.filter(({ replica }) => replica.deployment === name),
      unplaced: unplaced.filter(isOwn),
      candidates: candidates.filter(isOwn),
    })),
  }
}
