import type { Command } from 'commander'
import { askController } from '#cli/admin-client.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { attachedAnswer, attachedListAnswer, attachedText } from '#cli/fleet-text.ts'
import { type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { printJson } from '#cli/terminal.ts'

interface AttachFlags extends GatewayOptions {
  readonly name?: string
  readonly remove?: boolean
  readonly json?: boolean
}

export function addAttachCommand(program: Command): void {
  withGatewayOptions(program.command('attach'))
    .description('Use an engine that already runs on a machine, and leave it to its owner.')
    .argument('<engine>', 'node/engine or node/port, as "motley nodes" shows them')
    .option('--name <name>', 'what the endpoint is called (default: engine and node)')
    .option('--remove', 'use it no longer; also takes the name of the endpoint')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Agents look for engines on the usual ports of their machine: Ollama 11434,
llama-server 8080, vLLM 8000, LM Studio 1234 and so on. One on another port is
attached by that: motley attach desk/8001.`,
    )
    .action(async (engine: string, flags: AttachFlags) => {
      if (flags.remove === true) await detach(engine, flags)
      else await attach(engine, flags)
    })
}

async function attach(text: string, { name, json, ...gateway }: AttachFlags): Promise<void> {
  const { node, engine } = placeOf(text)
  const body = { node, engine, ...(name === undefined ? {} : { name }) }
  const answer = await askController('/admin/v1/attached', gateway, { method: 'POST', body })
  if (json) printJson(answer)
  else console.log(attachedText(attachedAnswer.parse(answer)))
}

async function detach(text: string, { json, ...gateway }: AttachFlags): Promise<void> {
  const id = text.includes('/') ? await nameOf(placeOf(text), gateway) : text
  const path = `/admin/v1/attached/${encodeURIComponent(id)}`
  const answer = await askController(path, gateway, { method: 'DELETE' })
  if (json) printJson(answer)
  else console.log(`${id} is no longer used; the engine goes on`)
}

interface Place {
  readonly node: string
  /** Its name, or its port. */
  readonly engine: string
}

function placeOf(text: string): Place {
  const slash = text.indexOf('/')
  const [node, engine] = [text.slice(0, slash), text.slice(slash + 1)]
  if (slash > 0 && engine !== '' && !engine.includes('/')) return { node, engine }
  throw new CommandFailure(
    'wrong',
    `found "${text}", allowed: <node>/<engine> or <node>/<port>, as desk/ollama or desk/11434`,
  )
}

async function nameOf({ node, engine }: Place, gateway: GatewayOptions): Promise<string> {
  const answer = await askController('/admin/v1/attached', gateway)
  const { endpoints } = attachedListAnswer.parse(answer)
  const meant = endpoints.filter(
    (one) => one.nodeName === node && (one.engine === engine || String(one.port) === engine),
  )
  const [only] = meant
  if (only !== undefined && meant.length === 1) return only.id
  const names = (meant.length > 0 ? meant : endpoints).map(({ id }) => id).join(', ')
  throw new CommandFailure(
    'no',
    meant.length > 1
      ? `${node}/${engine} is more than one endpoint: say which of ${names}`
      : `${node}/${engine} is not attached; ${names === '' ? 'nothing is' : `there is ${names}`}`,
  )
}
