import type { Command } from 'commander'
import { askController } from '#cli/admin-client.ts'
import { agrees } from '#cli/agrees.ts'
import { drainedText, homelessText } from '#cli/drain-text.ts'
import { type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { planLocally } from '#cli/local-planner.ts'
import { placementQuestion } from '#cli/placement-question.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import { type NodeLoss, nodeDrain } from '#placement/survival.ts'

interface DrainFlags extends GatewayOptions {
  readonly undo?: boolean
  readonly yes?: boolean
}

export function addDrainCommand(program: Command): void {
  withGatewayOptions(program.command('drain'))
    .description('Send a machine nothing new; what runs there moves, or ends.')
    .argument('<node>')
    .option('--yes', 'do not ask where something has no other place, and ends')
    .option('--undo', 'use it again')
    .action(drain)
}

async function drain(node: string, { undo, yes, ...gateway }: DrainFlags): Promise<void> {
  const set = (draining: boolean) =>
    askController(`/admin/v1/nodes/${encodeURIComponent(node)}/drain`, gateway, {
      method: 'POST',
      body: { draining },
    })
  if (undo) {
    await set(false)
    console.log(wrapped(`${node} is used again`, terminalWidth, '  ').join('\n'))
    return
  }
  const outcome = await outcomeOf(node, gateway)
  if (outcome !== null && outcome.unplaced.length > 0) {
    console.log(homelessText(outcome))
    const question = `Drain ${outcome.name} all the same?`
    await agrees(yes, { question, undone: 'nothing was changed', toDo: 'drain it all the same' })
    console.log()
  }
  await set(true)
  console.log(drainedText(outcome ?? { name: node, ...nothing }))
}

/** What the controller is going to plan, by the same function; null where it knows no such node, and says so. */
async function outcomeOf(name: string, gateway: GatewayOptions): Promise<NodeLoss | null> {
  const { input } = await placementQuestion(undefined, gateway)
  const node = input.inventory.nodes.find((one) => one.name === name || one.id === name)
  return node === undefined ? null : nodeDrain(input, planLocally(input), planLocally, node)
}

const nothing = { node: '', loses: [], losesByHand: [], moves: [], unplaced: [], evicts: [] }
