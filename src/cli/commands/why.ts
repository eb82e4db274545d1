import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import {
  deploymentOf,
  deploymentWhyText,
  plansAnswer,
  type WhyPlacement,
} from '#cli/deployment-why-text.ts'
import { folded } from '#cli/folded.ts'
import { askGateway, type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { askPlacement } from '#cli/placement-question.ts'
import { printJson } from '#cli/terminal.ts'
import { requestRecord, whyText } from '#cli/why-text.ts'

export function addWhyCommand(program: Command): void {
  withGatewayOptions(program.command('why'))
    .description(
      'Say why a request went where it went, or why a deployment or replica is where it is.',
    )
    .argument('<what>', 'the x-request-id of an answer, a deployment or a replica')
    .option('--json', 'print the decision record')
    .action(async (id: string, { json, ...gateway }: GatewayOptions & { json?: boolean }) => {
      const answer = await askGateway(
        `/admin/v1/decisions/${encodeURIComponent(id)}`,
        gateway,
        'an admin key',
      )
      if (answer === null && (await tellOfDeployment(id, gateway, json === true))) return
      if (answer === null) {
        throw new CommandFailure(
          'no',
          `there is no request, deployment or replica "${id}" here; of requests the latest ones are kept`,
        )
      }
      const record = requestRecord.safeParse(answer)
      if (!record.success) {
        throw new CommandFailure(
          'unreachable',
          'what answers there is no Motley gateway of this version; check --url',
        )
      }
      if (json) printJson(answer)
      else console.log(folded(whyText(record.data), process.stdout))
    })
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
  else console.log(deploymentWhyText(why, deployment, Date.now()))
  return true
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
